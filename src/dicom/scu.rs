//! C-STORE as SCU (PS3.4 Annex B): files over one association, each with its answer.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Seek, SeekFrom};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::command::{Command, LONGEST_COMMAND, c_store_rq, field};
use super::part10;
use super::status::Status;
use super::upper_layer::{
    Association, Connection, Error, Event, Limits, Proposal, ProposedContext, Stop, request,
};
use crate::model::{AeTitle, RemoteAe, Uid};

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

/// Presentation contexts an association can have (PS3.8 §9.3.2.2: odd ids to 255).
const MOST_CONTEXTS: usize = 128;

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
        let mut association = open(remote, group, timeouts)?;
        let mut message_id = 0u16;
        for (index, file) in numbered.iter().filter(|(_, f)| group.contains(&kind(f))) {
            if stop.is_raised() {
                // Between two objects: the one under way always gets its answer.
                association.abort(&Error::Stopping).wait();
                return Err(failed(remote, Error::Stopping));
            }
            message_id = message_id.wrapping_add(1);
            match send_one(&mut association, message_id, file) {
                Ok(answer) => answered(*index, answer),
                Err(error) => {
                    association.abort(&error).wait();
                    return Err(failed(remote, error));
                }
            }
        }
        // Every file has its answer: how the peer takes the release changes nothing.
        if let Err(error) = association.release() {
            tracing::debug!(%error, "release an association");
        }
    }
    Ok(())
}

fn kind(file: &Outgoing) -> (&Uid, &Uid) {
    (&file.sop_class_uid, &file.transfer_syntax_uid)
}

pub(super) fn failed(remote: &RemoteAe, source: Error) -> ScuError {
    ScuError::Association {
        called: remote.ae_title.clone(),
        address: remote.address.clone(),
        source,
    }
}

fn open(remote: &RemoteAe, kinds: &[(&Uid, &Uid)], timeouts: ScuTimeouts) -> Result<Association, ScuError> {
    let socket = connect(&remote.address, timeouts.connect).map_err(|source| ScuError::Connect {
        address: remote.address.clone(),
        source,
    })?;
    let connection = Connection::new(Box::new(socket), Stop::default()).map_err(|e| failed(remote, e))?;
    let context = |(i, (class, syntax)): (u8, &(&Uid, &Uid))| ProposedContext {
        id: i.saturating_mul(2).saturating_add(1),
        abstract_syntax: class.to_string(),
        transfer_syntaxes: vec![syntax.to_string()],
    };
    let proposal = Proposal {
        calling: remote.calling.clone(),
        called: remote.ae_title.clone(),
        contexts: (0u8..).zip(kinds).map(context).collect(),
        roles: Vec::new(),
    };
    let limits = Limits {
        artim: timeouts.response,
        idle: timeouts.response,
        object: timeouts.response,
        ..Limits::default()
    };
    request(connection, limits, &proposal).map_err(|e| failed(remote, e))
}

pub(super) fn connect(address: &str, limit: Duration) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn send_one(association: &mut Association, message_id: u16, file: &Outgoing) -> Result<Answer, Error> {
    let context = association.contexts().iter().find(|c| {
        c.abstract_syntax == file.sop_class_uid.as_str()
            && c.transfer_syntax == file.transfer_syntax_uid.as_str()
    });
    let Some(context) = context.map(|c| c.id) else {
        return Ok(Answer::NoContext);
    };
    // Opened and measured before the command goes: once it has, the data set has to follow.
    let (mut source, length) = match data_set(&file.path) {
        Ok(opened) => opened,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => {
            return Ok(Answer::Unreadable(error.to_string()));
        }
        // Trouble of the moment: too many open files, a disk that does not answer.
        Err(error) => return Err(error.into()),
    };
    association.send_command(
        context,
        &c_store_rq(message_id, &file.sop_class_uid, &file.sop_instance_uid),
    )?;
    association.send_data_set(context, &mut source, length)?;
    let response = next_response(association)?;
    if response.command_field != field::C_STORE_RSP || response.message_id != message_id {
        let detail = format!(
            "{:04X} to message {} where the answer to {message_id} was due",
            response.command_field, response.message_id
        );
        return Err(Error::Protocol {
            reason: super::upper_layer::AbortReason::NotSpecified,
            detail,
        });
    }
    match response.status {
        Some(status) => Ok(Answer::Status(status, response.error_comment)),
        None => {
            let detail = "a response without a status".to_owned();
            Err(Error::Protocol {
                reason: super::upper_layer::AbortReason::NotSpecified,
                detail,
            })
        }
    }
}

/// The data set of a file and its length.
fn data_set(path: &Path) -> std::io::Result<(File, u64)> {
    let no_head = || std::io::Error::new(std::io::ErrorKind::InvalidData, "not a DICOM file");
    let (_, offset) = part10::read_head(path)?.ok_or_else(no_head)?;
    let mut file = File::open(path)?;
    let length = file.metadata()?.len().checked_sub(offset).ok_or_else(no_head)?;
    file.seek(SeekFrom::Start(offset))?;
    Ok((file, length))
}

fn next_response(association: &mut Association) -> Result<Command, Error> {
    let broken = |detail: String| Error::Protocol {
        reason: super::upper_layer::AbortReason::NotSpecified,
        detail,
    };
    let mut bytes = Vec::new();
    association.message_over();
    loop {
        match association.next_event()? {
            Event::Fragment(f) if f.command && bytes.len() + f.data.len() <= LONGEST_COMMAND => {
                bytes.extend_from_slice(f.data);
                if f.ends {
                    return Command::parse(&bytes).map_err(|e| broken(e.to_string()));
                }
            }
            Event::Fragment(_) => return Err(broken("a data set where a response was due".into())),
            Event::ReleaseRequested => {
                return Err(broken("a release request where a response was due".into()));
            }
        }
    }
}
