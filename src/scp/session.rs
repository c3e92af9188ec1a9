//! The messages of an open association (PS3.7 §6, §9): one request at a time, each answered.

use dicom_dictionary_std::uids;

use crate::dicom::command::{Command, field as command_field, response};
use crate::dicom::message::next_command;
use crate::dicom::status::Status;
use crate::dicom::upper_layer::{AbortReason, Association, Closing, Context, Error, Nowhere};
use crate::model::{Origin, Stream};
use crate::stage::{Receiver, Stage};
use crate::telemetry::field;
use crate::telemetry::metrics::METRICS;

use super::commitment::{Commitments, Outstanding, n_action, n_event_report};
use super::failures::Failures;
use super::storage;

/// What an association did, for the one line in the log at its end and for its event.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub stored: u64,
    pub refused: u64,
    pub bytes: u64,
    pub last_refusal: Option<(Status, String)>,
    pub failures: Failures,
}

/// What an association is served with.
pub(super) struct Services<'a> {
    pub stage: &'a Stage,
    pub commitments: &'a Commitments,
    /// Where objects go; none for a peer that only answers what it was asked.
    pub stream: Option<&'a Stream>,
    pub origin: &'a Origin,
}

/// Serves an association until the peer asks for release, or until it broke: the error tells why. What is left to do is
/// [`farewell`].
pub(super) fn serve(association: &mut Association, services: &Services<'_>) -> (Account, Option<Error>) {
    let Services { stage, origin, .. } = services;
    let mut account = Account::default();
    crate::failpoint::reach("accepted");
    let receiver = |stream: &Stream| stage.receiver(stream.clone(), (*origin).clone());
    let mut receiver = services.stream.map(receiver);
    let end = messages(association, services, receiver.as_mut(), &mut account);
    let synced = receiver.map_or(Ok(()), Receiver::finish);
    // What was answered with Success cannot be taken back; an abort tells the peer not to count on it.
    let end = end.and(synced.map_err(|error| Error::Local(error.to_string())));
    // It carries nothing more; how long the peer takes to close its end delays no set.
    stage.completion().association_closed(origin.association);
    let (stored, refused, bytes) = (account.stored, account.refused, account.bytes);
    match &end {
        Ok(()) => tracing::info!(stored, refused, { field::BYTES } = bytes, "association released"),
        Err(error) => {
            METRICS.associations_aborted.one();
            tracing::warn!(stored, refused, { field::BYTES } = bytes, %error, "association ended");
        }
    }
    (account, end.err())
}

/// Answers the release, or aborts.
pub(super) fn farewell(association: Association, error: Option<&Error>) -> Closing {
    match error {
        None => association.answer_release(),
        Some(error) => association.abort(error),
    }
}

/// Answers requests until the peer asks for release.
fn messages(
    association: &mut Association,
    services: &Services<'_>,
    mut receiver: Option<&mut Receiver>,
    account: &mut Account,
) -> Result<(), Error> {
    let Services {
        commitments, origin, ..
    } = services;
    let mut outstanding = Outstanding::new((*commitments).clone());
    loop {
        association.message_over();
        outstanding.until_the_peer_speaks(association)?;
        let Some((context, command)) = next_command(association)? else {
            return Ok(());
        };
        match (command.command_field, &mut receiver) {
            (command_field::C_STORE_RQ, Some(receiver)) => {
                storage::c_store(association, receiver, context, &command, account)?;
            }
            (command_field::N_ACTION_RQ, Some(receiver)) => {
                // What it lists came before it.
                receiver.settle_all();
                n_action(
                    association,
                    context,
                    &command,
                    origin,
                    commitments,
                    &mut outstanding,
                )?;
            }
            (command_field::N_EVENT_REPORT_RQ, _) => {
                n_event_report(association, context, &command, &origin.calling.0, commitments)?;
            }
            (command_field::N_EVENT_REPORT_RSP, _) if outstanding.responded(&command) => {
                skip_data_set(association, context, &command)?;
            }
            (command_field::C_ECHO_RQ, _) => {
                skip_data_set(association, context, &command)?;
                let (status, comment) = echo(association.context(context), &command);
                association.send_command(context, &response(&command, status, comment))?;
            }
            // A cancel of what is not under way is not answered (PS3.7 §9.3.2.3).
            (command_field::C_CANCEL_RQ, _) => {}
            (other, _) if other & command_field::RESPONSE != 0 => {
                let detail = format!("a response {other:04X} to nothing we asked");
                return Err(Error::Protocol {
                    reason: AbortReason::NotSpecified,
                    detail,
                });
            }
            (other, _) => {
                tracing::warn!(
                    { field::COMMAND } = format_args!("{other:04X}"),
                    "no such operation here"
                );
                skip_data_set(association, context, &command)?;
                let comment = Some("this operation is not offered here");
                association.send_command(
                    context,
                    &response(&command, Status::UNRECOGNIZED_OPERATION, comment),
                )?;
            }
        }
    }
}

/// C-ECHO (PS3.7 §9.1.5): there is nothing to do but to look at how it was asked.
fn echo(context: Option<&Context>, command: &Command) -> (Status, Option<&'static str>) {
    if command.fault.is_some() || command.has_data_set {
        return (Status::MISTYPED_ARGUMENT, Some("a C-ECHO with too much in it"));
    }
    let verification = context.is_some_and(|c| c.abstract_syntax == uids::VERIFICATION);
    if verification && command.is_of_class(uids::VERIFICATION) {
        (Status::SUCCESS, None)
    } else {
        (
            Status::SOP_CLASS_NOT_SUPPORTED,
            Some("the SOP class is not the presentation context's"),
        )
    }
}

fn skip_data_set(association: &mut Association, context: u8, command: &Command) -> Result<(), Error> {
    if command.has_data_set {
        association.read_data_set(context, &mut Nowhere)
    } else {
        Ok(())
    }
}
