//! A DICOMweb server as destination: STOW-RS (PS3.18 §10.5).
//!
//! One request carries a batch of objects, each file a part as it lies on disk. What the server says to a batch as a whole
//! and could have meant one object by is asked again object by object, so that one bad object refuses no other.
//!
//! ```text
//! body     the batch as a stream
//! tls      PEM files become what ureq needs
//! answer   what a response means for each object
//! ```

mod answer;
mod body;
mod tls;

#[cfg(feature = "fuzzing")]
pub use answer::told;

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use self::body::Body;
use super::sender::Said;
use crate::dicom::scu::{Outgoing, Pace, ScuTimeouts};
use crate::dicom::upper_layer::Stop;
use crate::model::DicomWeb;

/// The largest batch, in bytes, unless one object is larger: what a crash has sent again.
const BATCH_BYTES: u64 = 32 << 20;

/// The most objects of a batch.
const BATCH_OBJECTS: usize = 100;

/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: u64 = 16 << 20;

/// The longest token, in bytes.
const LONGEST_TOKEN: usize = 16 << 10;

/// Why sending did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum StowError {
    /// A file of ours is not fit: the token, a certificate, CAs.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody there, or the connection broke.
    #[error("{url}: {reason}")]
    Network {
        /// The server.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The server refuses us, not an object.
    #[error("{url} answered {status}: {}", answer::advice(*status))]
    Refused {
        /// The server.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The server is not able to, for the moment.
    #[error("{url} answered {status}: {}", answer::advice(*status))]
    Busy {
        /// The server.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The node stops.
    #[error("this node is stopping")]
    Stopping,
}

impl StowError {
    /// Whether the server will say the same again until somebody changes something.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

/// An object of a batch and how large its file is.
struct Part<'f> {
    index: usize,
    file: &'f Outgoing,
    bytes: u64,
}

/// Sends files in batches; `said` hears of each.
///
/// # Errors
/// [`StowError`]; what was not answered by then was not stored for certain.
pub(super) fn send(
    web: &DicomWeb,
    files: &[Outgoing],
    timeouts: ScuTimeouts,
    pace: Option<&Pace>,
    stop: &Stop,
    mut said: impl FnMut(usize, Said),
) -> Result<(), StowError> {
    let server = Server::open(web, timeouts)?;
    let mut parts = Vec::new();
    for (index, file) in files.iter().enumerate() {
        match fs::metadata(&file.path) {
            Ok(about) => parts.push(Part {
                index,
                file,
                bytes: about.len(),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                said(index, Said::Refused(error.to_string()))
            }
            // Trouble of the moment: a disk that does not answer.
            Err(error) => said(index, Said::Later(error.to_string())),
        }
    }
    let mut rest = parts.as_slice();
    while !rest.is_empty() {
        let (batch, after) = rest.split_at(batch(rest));
        rest = after;
        if let Some(answers) = server.store(batch, pace, stop)? {
            for (part, answer) in batch.iter().zip(answers) {
                said(part.index, answer);
            }
            continue;
        }
        for part in batch {
            let one = std::slice::from_ref(part);
            let answer = server.store(one, pace, stop)?.and_then(|mut a| a.pop());
            said(
                part.index,
                answer.unwrap_or_else(|| Said::Later("no answer".to_owned())),
            );
        }
    }
    Ok(())
}

/// How many objects the next batch has: at least one.
fn batch(parts: &[Part<'_>]) -> usize {
    let mut bytes = 0u64;
    let fit = parts.iter().take(BATCH_OBJECTS).take_while(|part| {
        bytes = bytes.saturating_add(part.bytes);
        bytes <= BATCH_BYTES
    });
    fit.count().max(1).min(parts.len())
}

/// Asks a server for nothing but its answer; the HTTP status that is one.
///
/// # Errors
/// [`StowError`]: it was not reached, or refuses us.
pub(super) fn probe(web: &DicomWeb, timeouts: ScuTimeouts) -> Result<u16, StowError> {
    let server = Server::open(web, timeouts)?;
    // A search that finds nothing costs nobody anything; a server that does not search answers all the same.
    let mut request = server
        .agent
        .get(format!("{}/studies?limit=1&StudyInstanceUID=1.2.3", web.url));
    if let Some(authorization) = &server.authorization {
        request = request.header("Authorization", authorization);
    }
    let answer = request.header("Accept", "application/dicom+json").call();
    let status = answer.map_err(|error| server.network(&error))?.status().as_u16();
    match status {
        401 | 403 => Err(server.refused(status)),
        500.. if status != 501 => Err(server.busy(status)),
        _ => Ok(status),
    }
}

/// A server that can be asked.
struct Server<'w> {
    web: &'w DicomWeb,
    agent: ureq::Agent,
    authorization: Option<String>,
}

impl<'w> Server<'w> {
    /// Reads token and certificates anew: new ones hold from the next delivery on.
    fn open(web: &'w DicomWeb, timeouts: ScuTimeouts) -> Result<Self, StowError> {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // A token is for the server it was given for.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_resolve(Some(timeouts.connect))
            .timeout_connect(Some(timeouts.connect))
            .timeout_recv_response(Some(timeouts.response))
            .timeout_recv_body(Some(timeouts.response))
            .timeout_per_write(Some(timeouts.response));
        let agent = match &web.ca {
            Some(ca) => config.tls_config(tls::config(ca, web.identity.as_ref())?).build(),
            None => config.build(),
        };
        Ok(Self {
            web,
            agent: agent.into(),
            authorization: web.token.as_ref().map(token).transpose()?,
        })
    }

    /// Stores a batch; an answer for each of its objects. `None`: the server says no to the batch and may mean one of them.
    fn store(
        &self,
        batch: &[Part<'_>],
        pace: Option<&Pace>,
        stop: &Stop,
    ) -> Result<Option<Vec<Said>>, StowError> {
        let boundary = uuid::Uuid::new_v4().simple().to_string();
        let mut body = Body::new(batch.iter().map(|p| (p.file, p.bytes)), &boundary, pace, stop);
        let kind = format!("multipart/related; type=\"application/dicom\"; boundary={boundary}");
        let mut request = self.agent.post(format!("{}/studies", self.web.url));
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let sent = request
            .header("Content-Type", kind)
            .header("Content-Length", body.length().to_string())
            .header("Accept", "application/dicom+json")
            .send(ureq::SendBody::from_reader(&mut body));
        if stop.is_raised() && sent.is_err() {
            return Err(StowError::Stopping);
        }
        let mut response = sent.map_err(|error| self.network(&error))?;
        let status = response.status().as_u16();
        let text = response
            .body_mut()
            .with_config()
            .limit(LONGEST_ANSWER)
            .read_to_string();
        let uids: Vec<_> = batch
            .iter()
            .map(|part| part.file.sop_instance_uid.as_str())
            .collect();
        let text = match (status, text) {
            // Without its words it is not known what was stored.
            (200 | 202, Err(error)) => return Err(self.network(&error)),
            (_, text) => text.unwrap_or_default(),
        };
        match answer::of(status, &text, &uids) {
            answer::Meaning::Each(answers) => Ok(Some(answers)),
            answer::Meaning::Batch if batch.len() > 1 => Ok(None),
            answer::Meaning::Batch => {
                let why = format!("the server answered {status}: {}", answer::advice(status));
                Ok(Some(vec![Said::Refused(why)]))
            }
            answer::Meaning::Refused => Err(self.refused(status)),
            answer::Meaning::Busy => Err(self.busy(status)),
        }
    }

    fn refused(&self, status: u16) -> StowError {
        StowError::Refused {
            url: self.web.url.clone(),
            status,
        }
    }

    fn busy(&self, status: u16) -> StowError {
        StowError::Busy {
            url: self.web.url.clone(),
            status,
        }
    }

    fn network(&self, error: &ureq::Error) -> StowError {
        StowError::Network {
            url: self.web.url.clone(),
            reason: error.to_string(),
        }
    }
}

fn token(path: &PathBuf) -> Result<String, StowError> {
    let wrong = |reason: String| StowError::File {
        path: path.clone(),
        reason,
    };
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let token = text.trim();
    if token.is_empty() || token.len() > LONGEST_TOKEN || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(wrong(
            "one line with a token has to be in it, and nothing else".to_owned(),
        ));
    }
    Ok(format!("Bearer {token}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AeTitle, SendLimits, Uid};

    #[test]
    fn a_file_that_is_gone_is_refused_and_one_that_cannot_be_looked_at_goes_later() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file"), b"x").unwrap();
        let web = DicomWeb {
            name: AeTitle::parse("CLOUD").unwrap(),
            url: "http://127.0.0.1:1".to_owned(),
            token: None,
            ca: None,
            identity: None,
            limits: SendLimits::default(),
        };
        let uid = |text: &str| Uid::parse(text.as_bytes()).unwrap();
        let file = |name: &str| Outgoing {
            path: directory.path().join(name),
            sop_class_uid: uid("1.2"),
            sop_instance_uid: uid("1.2.3"),
            transfer_syntax_uid: uid("1.2.840.10008.1.2.1"),
        };
        let second = std::time::Duration::from_secs(1);
        let timeouts = ScuTimeouts {
            connect: second,
            response: second,
        };
        let mut heard = Vec::new();
        let files = [file("gone"), file("file/below")];
        send(&web, &files, timeouts, None, &Stop::default(), |_, said| {
            heard.push(said)
        })
        .unwrap();
        assert!(
            matches!(heard[..], [Said::Refused(_), Said::Later(_)]),
            "{heard:?}"
        );
    }
}
