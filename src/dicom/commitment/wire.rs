//! N-ACTION and N-EVENT-REPORT as requestor of an association (PS3.4 §J.3.2, §J.3.3; PS3.7 §10.1.1, §10.1.4).

use std::time::{Duration, Instant};

use super::{
    ACTION_REQUEST, Answer, EVENT_FAILURES, EVENT_SUCCESS, LONGEST, MessageError, Request, SOP_CLASS,
    SOP_INSTANCE, TRANSFER_SYNTAXES,
};
use crate::dicom::command::{field, n_action_rq, n_event_report_rq, response};
use crate::dicom::dial::connect;
use crate::dicom::message::{self, Due, next_command, not_understood};
use crate::dicom::scu::session::{failed, transport};
use crate::dicom::scu::{ScuError, ScuTimeouts};
use crate::dicom::status::Status;
use crate::dicom::upper_layer::{
    Association, Connection, Context, Error, Limits, Proposal, ProposedContext, Role, Sink, Stop, request,
};
use crate::model::RemoteAe;

/// How often a peer that is waited for is looked at another way: it may have answered over an association of its own.
const LOOK: Duration = Duration::from_millis(250);

/// The Message ID of what an association is opened for.
const ONLY_MESSAGE: u16 = 1;

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The status of the N-ACTION response.
    pub status: Status,
    /// Its Error Comment.
    pub comment: Option<String>,
    /// The answer came over the same association, and was kept.
    pub answered: bool,
}

/// How long an association is kept open for the answer, and whether that came another way.
pub struct Patience<F> {
    /// At most so long.
    pub most: Duration,
    /// Whether there is nothing to wait for any more.
    pub is_over: F,
}

/// Asks a peer for storage commitment, and waits on this association for what it says; `keep` hears it, and answers with the
/// status for the peer.
///
/// # Errors
/// [`ScuError`]: the peer did not take the request.
pub fn ask(
    remote: &RemoteAe,
    asked: &Request,
    timeouts: ScuTimeouts,
    patience: Patience<impl Fn() -> bool>,
    mut keep: impl FnMut(&Answer) -> Status,
) -> Result<Asked, ScuError> {
    let (mut association, context) = open(remote, Vec::new(), timeouts)?;
    match exchange(&mut association, &context, asked, &patience, &mut keep) {
        Ok(done) => {
            goodbye(association);
            Ok(done)
        }
        Err((Some(done), error)) => {
            // The peer took the request; how the association ends changes nothing.
            tracing::debug!(%error, "wait for a storage commitment");
            association.abort(&error).wait();
            Ok(done)
        }
        Err((None, error)) => {
            association.abort(&error).wait();
            Err(failed(remote, error))
        }
    }
}

/// Answers a peer's request on an association of our own; the status is the peer's.
///
/// # Errors
/// [`ScuError`]: the peer has not heard it for certain.
pub fn report(remote: &RemoteAe, answer: &Answer, timeouts: ScuTimeouts) -> Result<Status, ScuError> {
    let role = Role {
        sop_class: SOP_CLASS.to_owned(),
        scu: false,
        scp: true,
    };
    let (mut association, context) = open(remote, vec![role], timeouts)?;
    let said = send_report(&mut association, &context, ONLY_MESSAGE, answer)
        .and_then(|()| await_response(&mut association, &context, field::N_EVENT_REPORT_RSP));
    match said {
        Ok((status, _)) => {
            goodbye(association);
            Ok(status)
        }
        Err(error) => {
            association.abort(&error).wait();
            Err(failed(remote, error))
        }
    }
}

/// Sends an N-EVENT-REPORT request; its response is still to come.
///
/// # Errors
/// The association is over.
pub fn send_report(
    association: &mut Association,
    context: &Context,
    message_id: u16,
    answer: &Answer,
) -> Result<(), Error> {
    let event = if answer.failed.is_empty() {
        EVENT_SUCCESS
    } else {
        EVENT_FAILURES
    };
    let command = n_event_report_rq(message_id, SOP_CLASS, SOP_INSTANCE, event);
    let data_set = answer.write(is_explicit(context));
    association.send_message(context.id, &command, &data_set, &mut std::io::empty(), 0)
}

/// Whether the data sets of a context have explicit VRs.
#[must_use]
pub fn is_explicit(context: &Context) -> bool {
    let [explicit, _] = TRANSFER_SYNTAXES;
    context.transfer_syntax == explicit
}

/// Collects the data set that a command has announced.
///
/// # Errors
/// The association is over. Inside: [`MessageError::TooMany`] for one that is longer than any lawful one.
pub fn information(
    association: &mut Association,
    context: u8,
) -> Result<Result<Vec<u8>, MessageError>, Error> {
    let mut gathered = Gathered::default();
    association.read_data_set(context, &mut gathered)?;
    Ok(if gathered.too_long {
        Err(MessageError::TooMany)
    } else {
        Ok(gathered.bytes)
    })
}

#[derive(Default)]
struct Gathered {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Sink for Gathered {
    fn room(&mut self, _most: usize) -> &mut [u8] {
        &mut []
    }

    fn filled(&mut self, _bytes: usize) {}

    fn take(&mut self, bytes: &[u8]) {
        self.too_long = self.too_long || self.bytes.len() + bytes.len() > LONGEST;
        if self.too_long {
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }
}

fn open(
    remote: &RemoteAe,
    roles: Vec<Role>,
    timeouts: ScuTimeouts,
) -> Result<(Association, Context), ScuError> {
    let socket = connect(&remote.address, timeouts.connect).map_err(|source| ScuError::Connect {
        address: remote.address.clone(),
        source,
    })?;
    let transport = transport(remote, socket, timeouts.connect)?;
    let connection = Connection::new(transport, Stop::default()).map_err(|e| failed(remote, e))?;
    let proposal = Proposal {
        calling: remote.calling.clone(),
        called: remote.ae_title.clone(),
        contexts: vec![ProposedContext {
            id: 1,
            abstract_syntax: SOP_CLASS.to_owned(),
            transfer_syntaxes: TRANSFER_SYNTAXES.map(str::to_owned).to_vec(),
        }],
        roles,
    };
    let limits = Limits {
        artim: timeouts.response,
        idle: timeouts.response,
        object: timeouts.response,
        ..Limits::default()
    };
    let association = request(connection, limits, &proposal).map_err(|e| failed(remote, e))?;
    let usable = |c: &&Context| TRANSFER_SYNTAXES.contains(&c.transfer_syntax.as_str());
    match association.contexts().iter().find(usable).cloned() {
        Some(context) => Ok((association, context)),
        None => {
            goodbye(association);
            Err(failed(
                remote,
                Error::Local("it does not take storage commitment".to_owned()),
            ))
        }
    }
}

/// Everything was said: how the peer takes the release changes nothing.
fn goodbye(association: Association) {
    if let Err(error) = association.release() {
        tracing::debug!(%error, "release an association");
    }
}

type Broken = (Option<Asked>, Error);

fn exchange(
    association: &mut Association,
    context: &Context,
    asked: &Request,
    patience: &Patience<impl Fn() -> bool>,
    keep: &mut impl FnMut(&Answer) -> Status,
) -> Result<Asked, Broken> {
    let before = |error| (None, error);
    let data_set = asked.write(is_explicit(context));
    let command = n_action_rq(ONLY_MESSAGE, SOP_CLASS, SOP_INSTANCE, ACTION_REQUEST);
    association
        .send_message(context.id, &command, &data_set, &mut std::io::empty(), 0)
        .map_err(before)?;
    let (status, comment) = await_response(association, context, field::N_ACTION_RSP).map_err(before)?;
    let mut done = Asked {
        status,
        comment,
        answered: false,
    };
    if status != Status::SUCCESS {
        return Ok(done);
    }
    let end = Instant::now() + patience.most;
    while !done.answered {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || (patience.is_over)() {
            return Ok(done);
        }
        let heard = association.hears_within(left.min(LOOK));
        if !heard.map_err(|e| (Some(done.clone()), e))? {
            continue;
        }
        let kept = hear(association, context, asked, keep).map_err(|e| (Some(done.clone()), e))?;
        done.answered = kept;
    }
    Ok(done)
}

/// Hears an N-EVENT-REPORT and answers it; whether it was the one that was waited for, and was kept.
fn hear(
    association: &mut Association,
    context: &Context,
    asked: &Request,
    keep: &mut impl FnMut(&Answer) -> Status,
) -> Result<bool, Error> {
    let Some((_, command)) = next_command(association)? else {
        return Err(not_understood(
            "a release request where an N-EVENT-REPORT was due",
        ));
    };
    if command.command_field != field::N_EVENT_REPORT_RQ || !command.has_data_set {
        return Err(not_understood(format!(
            "{:04X} where an N-EVENT-REPORT was due",
            command.command_field
        )));
    }
    let read = information(association, context.id)?.and_then(|b| Answer::read(&b, is_explicit(context)));
    let status = match &read {
        Ok(answer) => keep(answer),
        Err(_) => Status::INVALID_ARGUMENT,
    };
    association.send_command(context.id, &response(&command, status, None))?;
    let this = read.is_ok_and(|answer| answer.transaction_uid == asked.transaction_uid);
    Ok(this && status == Status::SUCCESS)
}

fn await_response(
    association: &mut Association,
    context: &Context,
    field: u16,
) -> Result<(Status, Option<String>), Error> {
    let due = Due {
        context: context.id,
        field,
        // Which instance it names does not count: some peers do not say the well-known one right.
        message_id: ONLY_MESSAGE,
    };
    let response = message::response(association, due)?;
    match response.status {
        Some(status) => Ok((status, response.error_comment)),
        None => Err(not_understood("a response without a status")),
    }
}
