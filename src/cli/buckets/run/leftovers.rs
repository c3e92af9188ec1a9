//! Containers of runs that were interrupted: none is left.

use std::time::{Duration, Instant};

use crate::container::{Error, Labels, Result, Runtime, label};
use crate::model::JobId;

/// Value of [`label::NODE`] of everything that `buckets run` makes: no node takes it for its own.
const NODE: &str = "buckets-run";

/// Label: the process that made it, as [`owner`] writes it.
const OWNER: &str = "magickbox.owner";

/// Label: to be kept once it has ended.
pub(super) const KEPT: &str = "magickbox.kept";

/// Between two looks for containers that the engine was about to make.
const AGAIN: Duration = Duration::from_millis(300);

/// Time for an engine to be rid of what it says it removes.
const LIMIT: Duration = Duration::from_secs(60);

/// The labels of everything of a run.
#[must_use]
pub fn labels(id: &JobId) -> Labels {
    [
        (label::NODE, NODE.to_owned()),
        (label::JOB, id.to_string()),
        (OWNER, owner()),
    ]
    .map(|(k, v)| (k.to_owned(), v))
    .into()
}

/// Removes every container of an interrupted run, a running one too. Call it once the future of the run is dropped.
///
/// # Errors
/// Those of the engine; [`Error::TimedOut`] when it still has a container of the run after a minute.
pub async fn clean_up(runtime: &dyn Runtime, id: &JobId) -> Result<()> {
    remove_all(runtime, &[(label::JOB.to_owned(), id.to_string())].into(), LIMIT).await
}

/// Removes every container of every run of this process.
///
/// # Errors
/// As [`clean_up`].
pub(super) async fn clean_up_own(runtime: &dyn Runtime) -> Result<()> {
    remove_all(runtime, &[(OWNER.to_owned(), owner())].into(), LIMIT).await
}

async fn remove_all(runtime: &dyn Runtime, labels: &Labels, limit: Duration) -> Result<()> {
    let begun = Instant::now();
    // What was asked of the engine last may appear a moment later, so that one look is not enough.
    let mut looks = 0;
    while looks < 2 {
        let found = runtime.list(labels).await?;
        if let Some(container) = found.first()
            && begun.elapsed() >= limit
        {
            let action = format!("be rid of container {}", container.name);
            return Err(Error::TimedOut { action, limit });
        }
        looks = if found.is_empty() { looks + 1 } else { 0 };
        for container in found {
            runtime.remove(&container.name, true).await?;
        }
        tokio::time::sleep(AGAIN).await;
    }
    Ok(())
}

/// Removes what runs left whose process was killed, and says how many containers that were. Those of a process that is
/// still there, or on another machine of the same engine, are left alone, and so are kept ones that have ended.
///
/// # Errors
/// Those of the engine.
pub async fn sweep(runtime: &dyn Runtime) -> Result<usize> {
    let mut swept = 0;
    let of_all = Labels::from([(label::NODE.to_owned(), NODE.to_owned())]);
    for container in runtime.list(&of_all).await? {
        let kept = container.labels.contains_key(KEPT) && !container.status.is_active();
        let orphan = container.labels.get(OWNER).is_some_and(|owner| is_gone(owner));
        if orphan && !kept {
            runtime.remove(&container.name, true).await?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// This process: host, namespace of its number, number, time of its start. The number alone comes again.
fn owner() -> String {
    let process = std::process::id();
    format!("{} {process} {}", place(), start_of(process).unwrap_or_default())
}

/// Where the numbers of processes are ours.
fn place() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{host} {}", namespace.display())
}

/// Whether the process is known to be no more.
fn is_gone(owner: &str) -> bool {
    let Some(process) = owner.strip_prefix(&place()) else {
        return false;
    };
    match process.trim().split_once(' ') {
        Some((number, start)) => number
            .parse()
            .is_ok_and(|n| start_of(n).as_deref() != Some(start)),
        None => false,
    }
}

/// When a process was started, in ticks since the machine was (proc(5), stat, the 22nd field).
fn start_of(process: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field, the program's name, may hold anything; it ends with the last bracket.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    use super::*;
    use crate::container::{Docker, DockerConfig};

    /// An engine that removes whatever it is asked to, and has it still.
    async fn keeps_everything(engine: UnixListener) {
        loop {
            let (mut peer, _) = engine.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(peer.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let body = match head.split(' ').nth(1).unwrap() {
                path if path.contains("/version") => r#"{"ApiVersion":"1.41","Version":"20.10"}"#,
                path if path.contains("/containers/json") => {
                    r#"[{"Id":"1","Names":["/run-1"],"State":"running","Labels":{}}]"#
                }
                _ => "",
            };
            let length = body.len();
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n");
            let answer = format!("{head}Connection: close\r\n\r\n{body}");
            peer.write_all(answer.as_bytes()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_container_that_the_engine_keeps_is_named_at_the_deadline() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("docker.sock");
        let engine = tokio::spawn(keeps_everything(UnixListener::bind(&socket).unwrap()));
        let docker = Docker::connect(DockerConfig {
            endpoint: format!("unix://{}", socket.display()),
            ..DockerConfig::default()
        });
        let docker = docker.await.unwrap();
        let all = Labels::new();
        let removing = remove_all(&docker, &all, Duration::from_millis(500));
        let removed = tokio::time::timeout(Duration::from_secs(10), removing).await;
        let error = removed.expect("a deadline").unwrap_err();
        assert!(
            matches!(&error, Error::TimedOut { action, .. } if action.contains("run-1")),
            "{error:?}"
        );
        engine.abort();
    }

    #[test]
    fn only_a_process_that_is_known_to_be_no_more_is_gone() {
        let me = owner();
        assert!(!is_gone(&me), "{me}");
        let (all, start) = me.rsplit_once(' ').unwrap();
        assert!(start.parse::<u64>().unwrap() > 0, "{me}");
        assert!(is_gone(&format!("{all} 1")), "the number came again");
        assert!(!is_gone(&me.replace(&place(), "elsewhere pid:[1]")));
        assert!(!is_gone("nonsense"));
    }
}
