//! C-STORE as SCU (PS3.4 Annex B): files over one association, each with its answer.

mod loaded;
mod session;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use super::status::Status;
use super::upper_layer::{Error, Stop};
use crate::model::{AeTitle, RemoteAe, Uid};

pub use loaded::Loaded;
pub use session::{MOST_CONTEXTS, Session};

/// A Part 10 file to send, with what its head says.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The file.
    pub path: PathBuf,
    /// SOP Class UID.
    pub sop_class_uid: Uid,
    /// SOP Instance UID.
    pub sop_instance_uid: Uid,
    /// Transfer Syntax UID.
    pub transfer_syntax_uid: Uid,
}

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The destination answered with this status.
    Status(Status, Option<String>),
    /// The destination takes no such SOP class in this transfer syntax.
    NoContext,
    /// The file is not there any more or not what it was.
    Unreadable(String),
}

/// Why sending did not come to its end. Files answered before stay answered.
#[derive(Debug, thiserror::Error)]
pub enum ScuError {
    /// Nobody there.
    #[error("connect to {address}: {source}")]
    Connect {
        /// `host:port`.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The association failed.
    #[error("association with {called} at {address}: {source}")]
    Association {
        /// AE title of the peer.
        called: AeTitle,
        /// `host:port`.
        address: String,
        /// What happened.
        source: Error,
    },
}

impl ScuError {
    /// Whether the peer will say the same again until somebody changes something.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        matches!(self, Self::Association { source: Error::Rejected(rejection), .. } if !rejection.is_transient())
    }
}

/// How long sending waits for what.
#[derive(Clone, Copy, Debug)]
pub struct ScuTimeouts {
    /// The connection to open.
    pub connect: Duration,
    /// An answer to one message.
    pub response: Duration,
}

/// Sends files in their own transfer syntaxes, one message at a time; `answered` hears of each.
///
/// # Errors
/// [`ScuError`]; what was not answered by then was not stored for certain.
pub fn send(
    remote: &RemoteAe,
    files: &[Outgoing],
    timeouts: ScuTimeouts,
    stop: &Stop,
    mut answered: impl FnMut(usize, Answer),
) -> Result<(), ScuError> {
    let numbered: Vec<_> = files.iter().enumerate().collect();
    let kinds: Vec<_> = files
        .iter()
        .map(kind)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    for group in kinds.chunks(MOST_CONTEXTS) {
        let mut session = Session::open(remote, group, timeouts)?;
        let mut buffer = Vec::new();
        for (index, file) in numbered.iter().filter(|(_, f)| group.contains(&kind(f))) {
            if stop.is_raised() {
                // Between two objects: the one under way always gets its answer.
                let error = session::failed(remote, Error::Stopping);
                session.abort(&error);
                return Err(error);
            }
            match send_one(&mut session, file, &mut buffer) {
                Ok(answer) => answered(*index, answer),
                Err(error) => {
                    session.abort(&error);
                    return Err(error);
                }
            }
        }
        session.release();
    }
    Ok(())
}

fn kind(file: &Outgoing) -> (&Uid, &Uid) {
    (&file.sop_class_uid, &file.transfer_syntax_uid)
}

fn send_one(session: &mut Session<'_>, file: &Outgoing, buffer: &mut Vec<u8>) -> Result<Answer, ScuError> {
    if !session.takes(file) {
        return Ok(Answer::NoContext);
    }
    // Opened and measured before the command goes: once it has, the data set has to follow.
    let opened = File::open(&file.path).and_then(|f| Loaded::read(f, None, std::mem::take(buffer)));
    let mut object = match opened {
        Ok(object) => object,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => {
            return Ok(Answer::Unreadable(error.to_string()));
        }
        // Trouble of the moment: too many open files, a disk that does not answer.
        Err(error) => return Err(session.broken(error.into())),
    };
    session.send(file, &mut object)?;
    *buffer = object.into_buffer();
    session.answer()
}
