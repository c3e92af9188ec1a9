//! The engine itself, the images it has, and what a container uses of its machine.

use bollard::query_parameters::{InspectContainerOptionsBuilder, StatsOptionsBuilder};
use futures_util::StreamExt;

use super::Docker;
use super::inspect::timestamp;
use crate::container::{EngineInfo, Error, ImageId, ImageInfo, Result};

pub(super) async fn info(docker: &Docker) -> Result<EngineInfo> {
    let info = docker.ask("describe its machine", docker.client.info()).await?;
    let count = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    Ok(EngineInfo {
        version: info.server_version.unwrap_or_default(),
        api_version: docker.client.client_version().to_string(),
        cpus: u32::try_from(count(info.ncpu)).unwrap_or(0),
        memory_bytes: count(info.mem_total),
        operating_system: info.operating_system.unwrap_or_default(),
    })
}

pub(super) async fn resolve_image(docker: &Docker, reference: &str) -> Result<ImageInfo> {
    let absent = || Error::NoSuchImage {
        reference: reference.to_owned(),
    };
    if !can_be_reference(reference) {
        return Err(absent());
    }
    let action = format!("look up image {reference:?}");
    let image = match docker.ask(&action, docker.client.inspect_image(reference)).await {
        Err(Error::Refused { status: 404, .. }) => return Err(absent()),
        answer => answer?,
    };
    let id = image.id.unwrap_or_default();
    Ok(ImageInfo {
        id: id.parse::<ImageId>()?,
        architecture: image.architecture.unwrap_or_default(),
        size_bytes: image.size.and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
        created: image.created.as_deref().and_then(timestamp),
    })
}

/// Whether a text can name an image at all. It becomes part of a URL, where `..` and `?` would ask something
/// else of the engine.
fn can_be_reference(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    !text.is_empty()
        && text.chars().all(allowed)
        && text.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

pub(super) async fn peak_memory(docker: &Docker, name: &str) -> Option<u64> {
    let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
    let mut samples = std::pin::pin!(docker.client.stats(name, Some(options)));
    let sample = docker
        .ask("measure memory", async { samples.next().await.transpose() })
        .await
        .ok()??;
    let memory = sample.memory_stats?;
    // cgroup v1 keeps the maximum; v2 as the engine shows it only says what is used now.
    memory.max_usage.or(memory.usage).filter(|bytes| *bytes > 0)
}

pub(super) async fn written(docker: &Docker, name: &str) -> Option<u64> {
    let options = InspectContainerOptionsBuilder::new().size(true).build();
    let asked = docker.client.inspect_container(name, Some(options));
    let size = docker.ask("measure a container", asked).await.ok()?.size_rw?;
    u64::try_from(size).ok()
}

#[cfg(test)]
mod tests {
    use super::can_be_reference;

    #[test]
    fn a_reference_cannot_leave_its_place_in_the_url() {
        for good in [
            "a",
            "localhost:5000/a/b:1.0",
            "a@sha256:00",
            "sha256:00ff",
            "A_b-c.d",
        ] {
            assert!(can_be_reference(good), "{good}");
        }
        for bad in [
            "", "..", "../info", "a/../b", "a?b", "a#b", "a b", "a%2e", "/a", "a//b", "ä",
        ] {
            assert!(!can_be_reference(bad), "{bad}");
        }
    }
}
