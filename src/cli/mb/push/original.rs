//! Pushing to a machine without our API: one form with the zip in it, made while it is sent.

use std::io::{Cursor, Read};

use anyhow::Result;
use serde_json::Value;

use super::Told;
use super::zip_source::ZipSource;
use crate::cli::mb::machines::Machine;
use crate::cli::upload::{Progress, Source};

/// Sends it; answers what the machine says, if that is JSON.
///
/// # Errors
/// What the machine or the disk say. What did not arrive whole is no job; such a machine cannot go on with it.
pub(super) fn send(machine: &Machine, source: &ZipSource, told: &Told) -> Result<Value> {
    let boundary = format!("mb-{}", uuid::Uuid::new_v4().simple());
    let name = quoted(source.name());
    let mut head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"theFile\"; filename=\"{name}_mb\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    )
    .into_bytes();
    let fields = [
        ("aetitle", told.ae_title.as_str()),
        ("description", told.description.as_str()),
        ("filename", name.as_str()),
        ("sender", told.sender.as_str()),
        ("jobname", told.job_name.as_str()),
        ("arguments", told.arguments.as_str()),
    ];
    let mut tail = Vec::new();
    for (key, value) in fields {
        let value = value.replace(['\r', '\n'], " ");
        let part =
            format!("\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"{key}\"\r\n\r\n{value}");
        tail.extend(part.into_bytes());
    }
    tail.extend(format!("\r\n--{boundary}--\r\n").into_bytes());
    let progress = Progress::begin(&format!("sending {}", source.name()), source.bytes(), 0);
    head.shrink_to_fit();
    let mut body = Watched {
        inner: Cursor::new(head).chain(source.open()?).chain(Cursor::new(tail)),
        source,
        progress: &progress,
    };
    let content_type = format!("multipart/form-data; boundary={boundary}");
    let answer = machine
        .node
        .post_stream("/code/php/processZip.php", &content_type, &mut body)
        .map_err(anyhow::Error::from)?;
    progress.end();
    Ok(serde_json::from_str(&answer).unwrap_or_default())
}

/// A name within quotes of a header.
fn quoted(name: &str) -> String {
    name.chars()
        .map(|c| if c == '"' || c.is_control() { '_' } else { c })
        .collect()
}

/// A body that tells how far it was read.
struct Watched<'a, R> {
    inner: R,
    source: &'a ZipSource,
    progress: &'a Progress,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.progress.at(self.source.reached(0));
        Ok(n)
    }
}
