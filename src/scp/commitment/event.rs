//! N-EVENT-REPORT (PS3.4 §J.3.3): a destination answers what we asked it, over an association of its own.

use crate::dicom::command::{Command, response};
use crate::dicom::commitment::{Answer, EVENT_FAILURES, information, is_explicit};
use crate::dicom::status::Status;
use crate::dicom::upper_layer::{Association, Error};
use crate::model::AeTitle;
use crate::store::CommitmentHeard;
use crate::telemetry::field;

use super::Commitments;
use super::action::{Refusal, check, refusal};

/// Serves an N-EVENT-REPORT request of that peer.
///
/// # Errors
/// The association is over.
pub(in crate::scp) fn n_event_report(
    association: &mut Association,
    context: u8,
    command: &Command,
    calling: &AeTitle,
    commitments: &Commitments,
) -> Result<(), Error> {
    let bytes = match command.has_data_set {
        true => Some(information(association, context)?),
        false => None,
    };
    let explicit = association.context(context).is_some_and(is_explicit);
    let heard = check(
        association,
        context,
        command,
        EVENT_FAILURES,
        Status::NO_SUCH_EVENT_TYPE,
    )
    .and_then(|()| {
        let bytes = bytes.ok_or_else(|| {
            let comment = "an N-EVENT-REPORT without a data set".to_owned();
            (Status::MISTYPED_ARGUMENT, comment)
        })?;
        let answer = bytes.and_then(|bytes| Answer::read(&bytes, explicit));
        answer.map_err(refusal)
    })
    .and_then(|answer| keep(commitments, calling, &answer));
    let answer = match &heard {
        Ok(()) => response(command, Status::SUCCESS, None),
        Err((status, comment)) => {
            tracing::warn!({ field::STATUS } = %status, reason = comment, "answer about storage commitment refused");
            response(command, *status, Some(comment))
        }
    };
    crate::failpoint::reach("commitment-heard");
    association.send_command(context, &answer)
}

/// The row, before Success is answered.
fn keep(commitments: &Commitments, calling: &AeTitle, answer: &Answer) -> Result<(), Refusal> {
    let heard = commitments
        .store
        .commitment_heard(&answer.transaction_uid, calling, answer.objects());
    match heard.wait() {
        Ok(CommitmentHeard::Kept) => Ok(()),
        Ok(CommitmentHeard::Unknown) => {
            let comment = "nobody here asked this AE with this Transaction UID";
            Err((Status::PROCESSING_FAILURE, comment.to_owned()))
        }
        Err(error) => {
            tracing::error!(%error, "keep an answer about storage commitment");
            let comment = "cannot keep the answer now, say it again later";
            Err((Status::PROCESSING_FAILURE, comment.to_owned()))
        }
    }
}
