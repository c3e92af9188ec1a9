//! C-STORE as SCU (PS3.4 Annex B): files over one association, each with its answer.

mod echo;
mod loaded;
mod pace;
pub(in crate::dicom) mod session;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use dicom_dictionary_std::uids;

use super::part10::FileMeta;
use super::status::Status;
use super::tls::TlsError;
use super::transcode::{self, TranscodeError};
use super::upper_layer::{Error, Stop};
use crate::model::{AeTitle, RemoteAe, Uid};

pub use echo::{Echoed, echo};
pub use loaded::Loaded;
pub use pace::Pace;
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

impl Outgoing {
    /// Whether that is the head of the file as it was when it was decided to send it.
    fn is(&self, meta: &FileMeta) -> bool {
        self.sop_class_uid == meta.sop_class_uid
            && self.sop_instance_uid == meta.sop_instance_uid
            && self.transfer_syntax_uid == meta.transfer_syntax_uid
    }
}

/// Said of a file that was exchanged for another since.
const OTHER: &str = "the file has another head than when it was decided to send it";

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
    /// Our files for TLS are not fit.
    #[error("TLS with {address}: {source}")]
    Tls {
        /// `host:port`.
        address: String,
        /// What is wrong with them.
        source: TlsError,
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
    /// The peer answered something else than it was asked.
    #[error("association with {called} at {address}: {source}")]
    Answer {
        /// AE title of the peer.
        called: AeTitle,
        /// `host:port`.
        address: String,
        /// What it was.
        source: Error,
    },
    /// The peer answered a C-STORE, but says that it was about another object (PS3.7 §9.3.1.2).
    #[error(
        "association with {called} at {address}: the peer broke the protocol: its response to {instance} is about another object"
    )]
    OtherObject {
        /// AE title of the peer.
        called: AeTitle,
        /// `host:port`.
        address: String,
        /// The object that it was sent.
        instance: Uid,
    },
}

impl ScuError {
    /// Whether the peer took the association, and answered something else than it was asked.
    #[must_use]
    pub const fn is_wrong_answer(&self) -> bool {
        matches!(self, Self::Answer { .. } | Self::OtherObject { .. })
    }

    /// Whether the peer will say the same again until somebody changes something.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        matches!(self, Self::Association { source: Error::Rejected(rejection), .. } if !rejection.may_pass())
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

/// Sends files, one message at a time, no faster than `pace`; `answered` hears of each. Each goes in its own transfer syntax
/// or, where the peer does not take that and no bit is lost by it, in explicit VR little endian.
///
/// # Errors
/// [`ScuError`]; what was not answered by then was not stored for certain.
pub fn send(
    remote: &RemoteAe,
    files: &[Outgoing],
    timeouts: ScuTimeouts,
    pace: Option<&Pace>,
    stop: &Stop,
    mut answered: impl FnMut(usize, Answer),
) -> Result<(), ScuError> {
    let explicit = Uid::parse(uids::EXPLICIT_VR_LITTLE_ENDIAN.as_bytes()).ok();
    let numbered: Vec<_> = files.iter().enumerate().collect();
    for group in groups(files, explicit.as_ref()) {
        let mut session = Session::open(remote, &group.proposed, timeouts, pace)?;
        let mut buffer = Vec::new();
        for (index, file) in numbered.iter().filter(|(_, f)| group.own.contains(&kind(f))) {
            if stop.is_raised() {
                // Between two objects: the one under way always gets its answer.
                let error = session::failed(remote, Error::Stopping);
                session.abort(&error);
                return Err(error);
            }
            match send_one(&mut session, file, explicit.as_ref(), &mut buffer) {
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

/// A SOP class and a transfer syntax.
type Kind<'f> = (&'f Uid, &'f Uid);

fn kind(file: &Outgoing) -> Kind<'_> {
    (&file.sop_class_uid, &file.transfer_syntax_uid)
}

/// What one association is for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Group<'f> {
    /// The kinds of its files.
    own: BTreeSet<Kind<'f>>,
    /// What it proposes, at most [`MOST_CONTEXTS`]: those, and after each what its files can be transcoded to.
    proposed: Vec<Kind<'f>>,
}

fn groups<'f>(files: &'f [Outgoing], explicit: Option<&'f Uid>) -> Vec<Group<'f>> {
    let kinds: BTreeSet<_> = files.iter().map(kind).collect();
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (class, syntax) in kinds {
        let other = explicit.filter(|_| transcode::is_possible(syntax.as_str()));
        let wanted = [Some((class, syntax)), other.map(|explicit| (class, explicit))];
        let full = groups.last().is_none_or(|g| g.proposed.len() + 2 > MOST_CONTEXTS);
        if full {
            groups.push(Group::default());
        }
        if let Some(group) = groups.last_mut() {
            group.own.insert((class, syntax));
            for kind in wanted.into_iter().flatten() {
                if !group.proposed.contains(&kind) {
                    group.proposed.push(kind);
                }
            }
        }
    }
    groups
}

fn send_one(
    session: &mut Session<'_>,
    file: &Outgoing,
    explicit: Option<&Uid>,
    buffer: &mut Vec<u8>,
) -> Result<Answer, ScuError> {
    if !session.takes(file) {
        let syntax = file.transfer_syntax_uid.as_str();
        return match explicit.filter(|_| transcode::is_possible(syntax)) {
            Some(explicit) => send_transcoded(session, file, explicit, buffer),
            None => Ok(Answer::NoContext),
        };
    }
    // Opened and measured before the command goes: once it has, the data set has to follow.
    let opened = File::open(&file.path).and_then(|f| Loaded::read(f, None, std::mem::take(buffer)));
    let mut object = match opened {
        Ok(object) if object.meta().is_some_and(|meta| file.is(meta)) => object,
        Ok(_) => return Ok(Answer::Unreadable(OTHER.to_owned())),
        Err(error) => return unreadable(session, error),
    };
    session.send(file, &mut object)?;
    *buffer = object.into_buffer();
    session.answer(file)
}

/// Sends a file whose transfer syntax the peer does not take.
fn send_transcoded(
    session: &mut Session<'_>,
    file: &Outgoing,
    explicit: &Uid,
    buffer: &mut Vec<u8>,
) -> Result<Answer, ScuError> {
    let other = Outgoing {
        transfer_syntax_uid: explicit.clone(),
        ..file.clone()
    };
    if !session.takes(&other) {
        return Ok(Answer::NoContext);
    }
    match transcode::explicit_little(&file.path) {
        Ok((meta, _)) if !file.is(&meta) => Ok(Answer::Unreadable(OTHER.to_owned())),
        Ok((_, data_set)) => {
            let mut object = match Loaded::read(data_set, Some(0), std::mem::take(buffer)) {
                Ok(object) => object,
                Err(error) => return Err(session.broken(error.into())),
            };
            session.send(&other, &mut object)?;
            *buffer = object.into_buffer();
            session.answer(&other)
        }
        Err(TranscodeError::Io(error)) => unreadable(session, error),
        Err(error) => Ok(Answer::Unreadable(format!(
            "the destination does not take its transfer syntax {}: {error}",
            file.transfer_syntax_uid
        ))),
    }
}

fn unreadable(session: &Session<'_>, error: std::io::Error) -> Result<Answer, ScuError> {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::InvalidData => Ok(Answer::Unreadable(error.to_string())),
        // Trouble of the moment: too many open files, a disk that does not answer.
        _ => Err(session.broken(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(class: &str, syntax: &str) -> Outgoing {
        let uid = |text: &str| Uid::parse(text.as_bytes()).unwrap();
        Outgoing {
            path: PathBuf::new(),
            sop_class_uid: uid(class),
            sop_instance_uid: uid("1.2.3"),
            transfer_syntax_uid: uid(syntax),
        }
    }

    #[test]
    fn what_can_be_transcoded_is_proposed_in_its_own_syntax_first() {
        let (rle, explicit) = (uids::RLE_LOSSLESS, uids::EXPLICIT_VR_LITTLE_ENDIAN);
        let files = [
            file("1.1", rle),
            file("1.2", uids::JPEG_BASELINE8_BIT),
            file("1.3", explicit),
            file("1.3", rle),
        ];
        let plain = file("1.1", explicit).transfer_syntax_uid;
        let [group] = groups(&files, Some(&plain)).try_into().unwrap();
        let proposed: Vec<_> = group
            .proposed
            .iter()
            .map(|(c, s)| (c.as_str(), s.as_str()))
            .collect();
        let expected = [
            ("1.1", rle),
            ("1.1", explicit),
            ("1.2", uids::JPEG_BASELINE8_BIT),
            ("1.3", explicit),
            ("1.3", rle),
        ];
        assert_eq!(proposed, expected);
        assert_eq!(group.own.len(), 4);
    }

    #[test]
    fn no_association_has_more_than_its_contexts_and_every_file_has_one() {
        let files: Vec<_> = (1..=150)
            .map(|n| file(&format!("1.{n}"), uids::RLE_LOSSLESS))
            .collect();
        let plain = file("1.1", uids::EXPLICIT_VR_LITTLE_ENDIAN).transfer_syntax_uid;
        let groups = groups(&files, Some(&plain));
        assert_eq!(groups.iter().map(|g| g.own.len()).sum::<usize>(), 150);
        for group in &groups {
            assert!(group.proposed.len() <= MOST_CONTEXTS && group.proposed.len() == group.own.len() * 2);
        }
    }

    #[test]
    fn a_rejection_passes_where_it_says_so_or_its_reason_does() {
        use crate::dicom::upper_layer::Rejection;
        let permanent = |result, source, reason| {
            let rejection = Rejection {
                result,
                source,
                reason,
            };
            let called = AeTitle::parse("PACS").unwrap();
            let (address, source) = (String::new(), Error::Rejected(rejection));
            ScuError::Association {
                called,
                address,
                source,
            }
            .is_permanent()
        };
        for (result, source, reason, expected) in [
            (1, 1, 1, true),
            (1, 1, 3, true),
            (1, 1, 7, true),
            (1, 2, 2, true),
            (2, 1, 1, false),
            (2, 3, 2, false),
            // Some PACS call for good what is of the moment by its name: congestion, a limit.
            (1, 3, 1, false),
            (1, 3, 2, false),
            (1, 3, 0, true),
        ] {
            assert_eq!(
                permanent(result, source, reason),
                expected,
                "{result}/{source}/{reason}"
            );
        }
    }
}
