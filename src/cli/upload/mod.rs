//! Sending something large to a node, piece by piece, on after every break.
//!
//! ```text
//! mod.rs      the pieces, and what to do when one does not arrive
//! source.rs   what is sent: a file, or an image of the engine here
//! progress.rs how far it is, for people
//! ```

mod progress;
mod source;

use std::io::Read;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::node_client::{Failed, NodeClient};
pub use progress::Progress;
pub use source::{FileSource, ImageSource, Pieces, Source};

/// What one request carries, in bytes; the node has what came of it also when it breaks.
const PIECE: usize = 8 << 20;

/// Time for one piece: a line that takes longer carries a part of it at least.
const PIECE_TIME: Duration = Duration::from_secs(300);

/// As long as nothing arrives, this long it is tried again.
const GIVE_UP: Duration = Duration::from_secs(600);

/// Between two tries, at most; it begins with a fraction.
const PAUSE: Duration = Duration::from_secs(10);

/// A source that is another one each time it is read cannot be gone on with so often.
const BEGINNINGS: u32 = 3;

/// What arrived whole, as the node takes it.
pub struct Sent {
    id: String,
    bytes: u64,
    sha256: String,
}

impl Sent {
    /// As a request names it.
    pub fn to_json(&self) -> Value {
        json!({ "id": self.id, "bytes": self.bytes, "sha256": self.sha256 })
    }
}

/// Sends all of a source; goes on where an earlier try broke off, if that was the same.
///
/// # Errors
/// What the node refuses, that it was out of reach for ten minutes, what the source says.
pub fn send(node: &NodeClient, source: &dyn Source) -> Result<Sent> {
    for _ in 0..BEGINNINGS {
        if let Some(sent) = send_from_where_it_is(node, source)? {
            return Ok(sent);
        }
    }
    bail!(
        "{} is another one each time it is read: the node took nothing of it",
        source.name()
    )
}

/// `None`: what is there is not what is sent now, and was thrown away.
fn send_from_where_it_is(node: &NodeClient, source: &dyn Source) -> Result<Option<Sent>> {
    let asked = json!({ "key": source.key(), "name": source.name(), "bytes": source.exact_bytes() });
    // Nothing was sent yet: a node that is not there is told at once.
    let begun = node.post("uploads", &asked)?;
    let id = text(&begun, "id")?;
    let there = offset(&begun)?;
    let mut reader = source.open()?;
    let mut hash = Sha256::new();
    if there > 0 {
        let read = skip(&mut reader, there, &mut hash)?;
        if read < there || hex(hash.clone()) != text(&begun, "sha256")? {
            node.delete(&format!("uploads/{id}"))?;
            return Ok(None);
        }
    }
    let name = format!("sending {}", source.name());
    let progress = Progress::begin(&name, source.bytes(), source.reached(there));
    let (mut at, mut piece) = (there, Vec::with_capacity(PIECE));
    loop {
        piece.clear();
        (&mut reader).take(PIECE as u64).read_to_end(&mut piece)?;
        if piece.is_empty() {
            break;
        }
        if !send_piece(node, &id, at, &piece, (source, &progress))? {
            return Ok(None);
        }
        hash.update(&piece);
        at += piece.len() as u64;
    }
    progress.end();
    Ok(Some(Sent {
        id,
        bytes: at,
        sha256: hex(hash),
    }))
}

/// Sends one piece until it is there; `false`: the node knows nothing of the upload any more.
fn send_piece(
    node: &NodeClient,
    id: &str,
    at: u64,
    piece: &[u8],
    (source, progress): (&dyn Source, &Progress),
) -> Result<bool> {
    let path = format!("uploads/{id}");
    let (mut done, mut tries) = (0, Tries::new());
    loop {
        let rest = piece.get(done..).unwrap_or_default();
        let failed = match node.patch(&path, at + done as u64, rest, PIECE_TIME) {
            Ok(()) => {
                progress.at(source.reached(at + piece.len() as u64));
                return Ok(true);
            }
            Err(failed) => failed,
        };
        match failed {
            Failed::Refused { status: 404, .. } => return Ok(false),
            // The offset is another one, nothing came for long, or the connection broke: where is it?
            Failed::Refused {
                status: 400 | 408 | 409 | 429 | 500..,
                ..
            }
            | Failed::NotReached(_)
                if !is_full(&failed) => {}
            refused => {
                return Err(anyhow::Error::from(refused).context(format!("sent {}", at + done as u64)));
            }
        }
        tries.pause(failed.into(), progress)?;
        let there = match node.ask(&path) {
            Ok(answer) => offset(&answer)?,
            Err(Failed::Refused { status: 404, .. }) => return Ok(false),
            Err(_) => continue,
        };
        let Some(now) = there.checked_sub(at).and_then(|n| usize::try_from(n).ok()) else {
            return Ok(false);
        };
        if now > piece.len() {
            return Ok(false);
        }
        if now > done {
            tries = Tries::new();
        }
        done = now;
        progress.at(source.reached(there));
        if done == piece.len() {
            return Ok(true);
        }
    }
}

/// A disk without room is not mended by asking again in a moment.
const fn is_full(failed: &Failed) -> bool {
    matches!(failed, Failed::Refused { status: 507, .. })
}

/// Tries of what may pass.
struct Tries {
    since: Instant,
    pause: Duration,
}

impl Tries {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            pause: Duration::from_millis(250),
        }
    }

    fn pause(&mut self, error: anyhow::Error, progress: &Progress) -> Result<()> {
        if self.since.elapsed() > GIVE_UP {
            let minutes = GIVE_UP.as_secs() / 60;
            return Err(error.context(format!(
                "nothing arrived for {minutes} min; the same command goes on from here within a day"
            )));
        }
        progress.broken(&error);
        std::thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(PAUSE);
        Ok(())
    }
}

fn skip(reader: &mut dyn Read, bytes: u64, hash: &mut Sha256) -> Result<u64> {
    let (mut read, mut buffer) = (0, vec![0; 1 << 20]);
    while read < bytes {
        let want = usize::try_from(bytes - read)
            .unwrap_or(buffer.len())
            .min(buffer.len());
        let piece = buffer.get_mut(..want).unwrap_or_default();
        let n = reader.read(piece)?;
        if n == 0 {
            break;
        }
        hash.update(piece.get(..n).unwrap_or_default());
        read += n as u64;
    }
    Ok(read)
}

fn text(answer: &Value, key: &str) -> Result<String> {
    let text = answer.get(key).and_then(Value::as_str).map(str::to_owned);
    text.with_context(|| format!("the node's answer has no {key}"))
}

fn offset(answer: &Value) -> Result<u64> {
    let offset = answer.get("offset").and_then(Value::as_u64);
    offset.ok_or_else(|| anyhow!("the node's answer has no offset"))
}

/// A hash as text.
pub fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}
