//! One association over which objects are stored, one message at a time.

use std::net::TcpStream;
use std::time::Duration;

use super::loaded::Loaded;
use super::pace::{Pace, Paced};
use super::{Answer, Outgoing, ScuError, ScuTimeouts};
use crate::dicom::command::{Command, c_echo_rq, c_store_rq, field};
use crate::dicom::dial::connect;
use crate::dicom::message::{Due, may_be_about, not_understood, response};
use crate::dicom::status::Status;
use crate::dicom::tls::Connector;
use crate::dicom::upper_layer::{
    AbortReason, Association, Connection, Error, Limits, Proposal, ProposedContext, Stop, Transport, request,
};
use crate::model::{RemoteAe, Uid};

/// Presentation contexts an association can have (PS3.8 §9.3.2.2: odd ids to 255).
pub const MOST_CONTEXTS: usize = 128;

/// An open association with a peer that stores.
#[derive(Debug)]
pub struct Session<'r> {
    remote: &'r RemoteAe,
    association: Association,
    message_id: u16,
}

impl<'r> Session<'r> {
    /// Opens one that proposes these pairs of SOP class and transfer syntax, at most [`MOST_CONTEXTS`].
    ///
    /// # Errors
    /// [`ScuError`].
    pub fn open(
        remote: &'r RemoteAe,
        kinds: &[(&Uid, &Uid)],
        timeouts: ScuTimeouts,
        pace: Option<&Pace>,
    ) -> Result<Self, ScuError> {
        let failed = |source| failed(remote, source);
        let socket = connect(&remote.address, timeouts.connect).map_err(|source| ScuError::Connect {
            address: remote.address.clone(),
            source,
        })?;
        let mut transport = transport(remote, socket, timeouts.connect)?;
        if let Some(pace) = pace {
            transport = Box::new(Paced::new(transport, pace.clone()));
        }
        let connection = Connection::new(transport, Stop::default()).map_err(failed)?;
        let context = |(i, (class, syntax)): (u8, &(&Uid, &Uid))| ProposedContext {
            id: i.saturating_mul(2).saturating_add(1),
            abstract_syntax: class.to_string(),
            transfer_syntaxes: vec![syntax.to_string()],
        };
        let proposal = Proposal {
            calling: remote.calling.clone(),
            called: remote.ae_title.clone(),
            contexts: (0u8..)
                .zip(kinds.iter().take(MOST_CONTEXTS))
                .map(context)
                .collect(),
            roles: Vec::new(),
        };
        let limits = Limits {
            artim: timeouts.response,
            idle: timeouts.response,
            object: timeouts.response,
            ..Limits::default()
        };
        Ok(Self {
            remote,
            association: request(connection, limits, &proposal).map_err(failed)?,
            message_id: 0,
        })
    }

    /// Whether the peer took the context that a file needs.
    #[must_use]
    pub fn takes(&self, file: &Outgoing) -> bool {
        self.context(file).is_some()
    }

    fn context(&self, file: &Outgoing) -> Option<u8> {
        let contexts = self.association.contexts().iter();
        contexts
            .filter(|c| c.abstract_syntax == file.sop_class_uid.as_str())
            .find(|c| c.transfer_syntax == file.transfer_syntax_uid.as_str())
            .map(|c| c.id)
    }

    /// Sends a C-STORE with its data set; false, and nothing is sent, if the peer does not take it. The answer is due.
    ///
    /// # Errors
    /// The association is over.
    pub fn send(&mut self, file: &Outgoing, object: &mut Loaded) -> Result<bool, ScuError> {
        let Some(context) = self.context(file) else {
            return Ok(false);
        };
        self.message_id = self.message_id.wrapping_add(1);
        let command = c_store_rq(self.message_id, &file.sop_class_uid, &file.sop_instance_uid);
        let (ahead, rest, left) = object.parts();
        self.association
            .send_message(context, &command, ahead, rest, left)
            .map_err(|source| failed(self.remote, source))?;
        Ok(true)
    }

    /// The answer to the file that was sent last.
    ///
    /// # Errors
    /// The association is over: it is not known whether the object is stored.
    pub fn answer(&mut self, file: &Outgoing) -> Result<Answer, ScuError> {
        let response = self.read_answer(file).map_err(|source| match source {
            // A message that breaks PS3.7. What is no message at all may be of the network, or of something in between.
            Error::Protocol {
                reason: AbortReason::NotSpecified,
                ..
            } => self.wrong(source),
            source => self.broken(source),
        })?;
        if !may_be_about(&response, &file.sop_instance_uid) {
            return Err(ScuError::OtherObject {
                called: self.remote.ae_title.clone(),
                address: self.remote.address.clone(),
                instance: file.sop_instance_uid.clone(),
            });
        }
        match response.status {
            Some(status) => Ok(Answer::Status(status, response.error_comment)),
            None => Err(self.wrong(not_understood("a response without a status"))),
        }
    }

    fn read_answer(&mut self, file: &Outgoing) -> Result<Command, Error> {
        let due = Due {
            context: self.context(file).unwrap_or_default(),
            field: field::C_STORE_RSP,
            message_id: self.message_id,
        };
        response(&mut self.association, due)
    }

    /// A C-ECHO and its status; `None` if the peer took no context for it.
    pub(super) fn echo(&mut self, sop_class: &Uid) -> Result<Option<Status>, ScuError> {
        let mut contexts = self.association.contexts().iter();
        let context = contexts.find(|c| c.abstract_syntax == sop_class.as_str());
        let Some(context) = context.map(|c| c.id) else {
            return Ok(None);
        };
        self.message_id = self.message_id.wrapping_add(1);
        let command = c_echo_rq(self.message_id, sop_class);
        let due = Due {
            context,
            field: field::C_ECHO_RQ | field::RESPONSE,
            message_id: self.message_id,
        };
        let sent = self.association.send_command(context, &command);
        let answer = sent.and_then(|()| response(&mut self.association, due));
        answer
            .map(|response| response.status)
            .map_err(|e| failed(self.remote, e))
    }

    fn wrong(&self, source: Error) -> ScuError {
        ScuError::Answer {
            called: self.remote.ae_title.clone(),
            address: self.remote.address.clone(),
            source,
        }
    }

    /// An error of ours on this association.
    pub(super) fn broken(&self, source: Error) -> ScuError {
        failed(self.remote, source)
    }

    /// Ends it in order; every object sent has its answer, so how the peer takes it changes nothing.
    pub fn release(self) {
        if let Err(error) = self.association.release() {
            tracing::debug!(%error, "release an association");
        }
    }

    /// Ends it because of an error.
    pub fn abort(self, error: &ScuError) {
        match error {
            ScuError::Association { source, .. } | ScuError::Answer { source, .. } => {
                self.association.abort(source).wait();
            }
            ScuError::OtherObject { .. } => {
                let source = not_understood("a response about another object");
                self.association.abort(&source).wait();
            }
            ScuError::Connect { .. } | ScuError::Tls { .. } => {}
        }
    }
}

pub(in crate::dicom) fn failed(remote: &RemoteAe, source: Error) -> ScuError {
    ScuError::Association {
        called: remote.ae_title.clone(),
        address: remote.address.clone(),
        source,
    }
}

/// What carries the association: TLS where the peer is to be called so.
pub(in crate::dicom) fn transport(
    remote: &RemoteAe,
    socket: TcpStream,
    limit: Duration,
) -> Result<Box<dyn Transport>, ScuError> {
    let Some(tls) = &remote.tls else {
        return Ok(Box::new(socket));
    };
    let address = &remote.address;
    let connector = Connector::open(tls, address).map_err(|source| ScuError::Tls {
        address: address.clone(),
        source,
    })?;
    let shaken = connector.connect(socket, limit);
    let stream = shaken.map_err(|source| ScuError::Connect {
        address: address.clone(),
        source,
    })?;
    Ok(Box::new(stream))
}
