//! An installed bucket of the original becomes one of this node's.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};

use super::tree::Stream;
use crate::bucket::{self, Buckets, Inspected};
use crate::container::{Labels, Runtime};
use crate::model::AeTitle;

/// The image of a stream: what the command line says, or else its script.
pub fn image<'a>(stream: &'a Stream, named: &'a BTreeMap<AeTitle, String>) -> Result<&'a str> {
    let image = named.get(&stream.ae_title).or(stream.image.as_ref());
    let how = || {
        format!(
            "its work.sh does not name an image: --image \"{}=IMAGE\" does",
            stream.ae_title
        )
    };
    Ok(image.with_context(how)?.as_str())
}

/// What a node would say of it; nothing is changed.
pub async fn look(runtime: &dyn Runtime, stream: &Stream, image: &str, labels: &Labels) -> Result<Inspected> {
    let found = bucket::inspect(runtime, image, labels).await?;
    let own = &found.manifest.ae_title;
    ensure!(
        *own == stream.ae_title,
        "image {image:?} answers to {own}: it is not the one that was installed, or was changed since"
    );
    Ok(found)
}

/// Installs it with its memory; answers what a person should know.
pub async fn take_over(buckets: &Buckets, stream: &Stream, image: &str) -> Result<Vec<&'static str>> {
    let title = &stream.ae_title;
    if buckets.get(title)?.is_some() {
        bail!("there is a bucket with this AE title already: it stays as it is");
    }
    let mut notes = Vec::new();
    if let Some(memory) = &stream.memory
        && !buckets
            .take_memory(title, memory)
            .await
            .context("take its memory over")?
    {
        notes.push("a memory was there already and stays");
    }
    buckets.install(image, None, false).await?;
    if !stream.enabled {
        buckets.set_enabled(title, false).await?;
        notes.push("disabled, as it was");
    }
    Ok(notes)
}
