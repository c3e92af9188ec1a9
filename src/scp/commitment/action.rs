//! N-ACTION (PS3.4 §J.3.2): a peer asks us to keep objects.

use crate::dicom::command::{Command, response};
use crate::dicom::commitment::{
    ACTION_REQUEST, MessageError, Request, SOP_CLASS, SOP_INSTANCE, information, is_explicit,
};
use crate::dicom::status::Status;
use crate::dicom::upper_layer::{Association, Error};
use crate::model::{Origin, Timestamp};
use crate::store::NewCommitment;
use crate::telemetry::field;

use super::{Commitments, Outstanding};

/// Why a request is not taken; for the peer's eyes.
pub(super) type Refusal = (Status, String);

/// Serves an N-ACTION request.
///
/// # Errors
/// The association is over.
pub(in crate::scp) fn n_action(
    association: &mut Association,
    context: u8,
    command: &Command,
    origin: &Origin,
    commitments: &Commitments,
    outstanding: &mut Outstanding,
) -> Result<(), Error> {
    let bytes = match command.has_data_set {
        true => Some(information(association, context)?),
        false => None,
    };
    let explicit = association.context(context).is_some_and(is_explicit);
    let taken = check(
        association,
        context,
        command,
        ACTION_REQUEST,
        Status::NO_SUCH_ACTION,
    )
    .and_then(|()| {
        let bytes = bytes.ok_or_else(|| {
            let comment = "an N-ACTION without a data set".to_owned();
            (Status::MISTYPED_ARGUMENT, comment)
        })?;
        let request = bytes.and_then(|bytes| Request::read(&bytes, explicit));
        request.map_err(refusal)
    })
    .and_then(|request| keep(commitments, origin, request));
    let answer = match &taken {
        Ok(_) => response(command, Status::SUCCESS, None),
        Err((status, comment)) => {
            tracing::warn!({ field::STATUS } = %status, reason = comment, "storage commitment refused");
            response(command, *status, Some(comment))
        }
    };
    crate::failpoint::reach("commitment-kept");
    if let Ok(id) = taken {
        let named = |r: &crate::model::RemoteAe| r.ae_title == origin.calling.0;
        outstanding.add(id, context, commitments.remote_aes.iter().any(named));
        commitments.changed.notify_one();
    }
    association.send_command(context, &answer)
}

/// What N-ACTION and N-EVENT-REPORT have in common: the class, its only instance, and the only type there is.
pub(super) fn check(
    association: &Association,
    context: u8,
    command: &Command,
    most: u16,
    no_such_type: Status,
) -> Result<(), Refusal> {
    let no = |status, comment: &str| Err((status, comment.to_owned()));
    if let Some(fault) = command.fault {
        return Err((Status::MISTYPED_ARGUMENT, fault.to_string()));
    }
    let in_context = association
        .context(context)
        .is_some_and(|c| c.abstract_syntax == SOP_CLASS);
    if !in_context || !command.is_of_class(SOP_CLASS) {
        let why = "the SOP class is not the presentation context's, or not storage commitment";
        return no(Status::SOP_CLASS_NOT_SUPPORTED, why);
    }
    let instance = command.sop_instance_uid.as_deref().map(crate::model::Uid::parse);
    if !instance.is_some_and(|uid| uid.is_ok_and(|uid| uid.as_str() == SOP_INSTANCE)) {
        let why = "not the well-known instance of the Push Model";
        return no(Status::NO_SUCH_SOP_INSTANCE, why);
    }
    if !command.type_id.is_some_and(|id| (1..=most).contains(&id)) {
        return no(no_such_type, "no such action or event type");
    }
    Ok(())
}

pub(super) fn refusal(error: MessageError) -> Refusal {
    let status = match error {
        MessageError::TooMany => Status::RESOURCE_LIMITATION,
        MessageError::Malformed | MessageError::Missing(_) => Status::INVALID_ARGUMENT,
    };
    (status, error.to_string())
}

/// The row, before Success is answered.
fn keep(commitments: &Commitments, origin: &Origin, request: Request) -> Result<i64, Refusal> {
    let objects = request.references.into_iter();
    let new = NewCommitment {
        transaction_uid: request.transaction_uid,
        calling: origin.calling.0.clone(),
        stream: origin.called.0.clone(),
        address: origin.address.to_string(),
        association: origin.association,
        objects: objects.map(|r| (r.sop_class_uid, r.sop_instance_uid)).collect(),
        next_at: Timestamp::now(),
    };
    match commitments.store.commitment_requested(new).wait() {
        Ok(Some(id)) => Ok(id),
        Ok(None) => {
            let comment = "too many requests wait for their answer: ask again later";
            Err((Status::RESOURCE_LIMITATION, comment.to_owned()))
        }
        Err(error) => {
            tracing::error!(%error, "keep a request for storage commitment");
            let comment = "cannot keep the request now, ask again later";
            Err((Status::PROCESSING_FAILURE, comment.to_owned()))
        }
    }
}
