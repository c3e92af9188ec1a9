//! C-STORE as SCP (PS3.4 Annex B, PS3.7 §9.3.1): one object, one answer, and Success only when it is stored.

use std::time::Instant;

use dicom_dictionary_std::uids;

use crate::dicom::command::{Command, response};
use crate::dicom::part10::FileMeta;
use crate::dicom::status::Status;
use crate::dicom::transfer_syntax::Encoding;
use crate::dicom::upper_layer::{Association, Error};
use crate::dicom::{commitment, transfer_syntax, upper_layer};
use crate::model::Uid;
use crate::stage::{Object, Receiver, StageError, Stored};
use crate::telemetry::field;
use crate::telemetry::metrics::METRICS;

use super::failures::{Glance, Whose};
use super::session::Account;

/// Why an object gets another answer than Success.
struct Refusal {
    status: Status,
    /// For the peer's eyes, (0000,0902): at most 64 characters are sent, none of them the patient's.
    comment: String,
}

impl Refusal {
    fn new(status: Status, comment: impl Into<String>) -> Self {
        Self {
            status,
            comment: comment.into(),
        }
    }
}

/// The total mapping from what went wrong to a status (PS3.4 §B.2.3).
impl From<&StageError> for Refusal {
    fn from(error: &StageError) -> Self {
        let status = match error {
            StageError::Header(_) => Status::CANNOT_UNDERSTAND,
            StageError::Mismatch { .. } => Status::DATA_SET_DOES_NOT_MATCH,
            StageError::NoRoom
            | StageError::QueueFull
            | StageError::Behind
            | StageError::Io { .. }
            | StageError::Store(_)
            | StageError::Head(_)
            | StageError::Missing { .. }
            | StageError::NoBucket => Status::OUT_OF_RESOURCES,
        };
        let comment = match error {
            StageError::Header(_)
            | StageError::Mismatch { .. }
            | StageError::NoBucket
            | StageError::NoRoom
            | StageError::QueueFull
            | StageError::Behind => error.to_string(),
            // What is wrong with our disk is nothing the peer can act on.
            _ => "cannot store the object now, send it again later".to_owned(),
        };
        Self { status, comment }
    }
}

/// Serves one C-STORE request: the data set is read to its end whatever becomes of it, so that the association lives.
pub(super) fn c_store(
    association: &mut Association,
    receiver: &mut Receiver,
    context: u8,
    command: &Command,
    account: &mut Account,
) -> Result<(), Error> {
    let begun = Instant::now();
    crate::failpoint::reach("command-read");
    let negotiated = association.context(context);
    let object = negotiated.map_or_else(
        || {
            Err(Refusal::new(
                Status::SOP_CLASS_NOT_SUPPORTED,
                "no such presentation context",
            ))
        },
        |context| identify(context, command),
    );
    let encoding = negotiated.and_then(|context| transfer_syntax::encoding(&context.transfer_syntax));
    let class = negotiated.and_then(|context| Uid::parse(context.abstract_syntax.as_bytes()).ok());
    let outcome = match object {
        Ok(object) => receive(association, receiver, context, object, account),
        Err(refusal) if command.has_data_set => {
            glance(association, context, encoding, account).map(|()| Err(refusal))
        }
        Err(refusal) => {
            account.failures.came(None);
            Ok(Err(refusal))
        }
    };
    let outcome = outcome.inspect_err(|_| account.failures.cut_off(class.as_ref()))?;
    let answer = match &outcome {
        Ok(stored) => {
            account.stored += 1;
            account.bytes += stored.bytes;
            METRICS.objects_stored.one();
            METRICS.received_bytes.add(stored.bytes);
            let ms = begun.elapsed().as_millis();
            tracing::debug!({ field::JOB } = %stored.job, { field::BYTES } = stored.bytes, ms, "object stored");
            response(command, Status::SUCCESS, None)
        }
        Err(refusal) => {
            account.refused += 1;
            account.failures.refused(class.as_ref(), refusal.status);
            METRICS.objects_refused.one();
            account.last_refusal = Some((refusal.status, refusal.comment.clone()));
            tracing::warn!({ field::STATUS } = %refusal.status, reason = refusal.comment, "object refused");
            response(command, refusal.status, Some(&refusal.comment))
        }
    };
    let sent = association.send_command(context, &answer);
    crate::failpoint::reach("answered");
    // The row may still be on its way: the peer prepares its next object meanwhile.
    receiver.settle();
    sent
}

/// What the command says, held against the rules and the presentation context.
fn identify(context: &upper_layer::Context, command: &Command) -> Result<Object, Refusal> {
    if let Some(fault) = command.fault {
        return Err(Refusal::new(Status::MISTYPED_ARGUMENT, fault.to_string()));
    }
    let without = match command {
        Command {
            has_data_set: false, ..
        } => Some("data set"),
        Command {
            has_priority: false, ..
        } => Some("Priority"),
        _ => None,
    };
    if let Some(without) = without {
        let comment = format!("a C-STORE without a {without}");
        return Err(Refusal::new(Status::MISTYPED_ARGUMENT, comment));
    }
    let not_of_context = || {
        Refusal::new(
            Status::SOP_CLASS_NOT_SUPPORTED,
            "the SOP class is not the presentation context's",
        )
    };
    let others = [uids::VERIFICATION, commitment::SOP_CLASS];
    if !command.is_of_class(&context.abstract_syntax) || others.contains(&context.abstract_syntax.as_str()) {
        return Err(not_of_context());
    }
    let instance = command.sop_instance_uid.as_deref().unwrap_or_default();
    let sop_instance_uid = Uid::parse(instance).map_err(|error| {
        Refusal::new(
            Status::INVALID_SOP_INSTANCE,
            format!("Affected SOP Instance UID: {error}"),
        )
    })?;
    let (Ok(sop_class_uid), Ok(transfer_syntax_uid), Some(encoding)) = (
        Uid::parse(context.abstract_syntax.as_bytes()),
        Uid::parse(context.transfer_syntax.as_bytes()),
        transfer_syntax::encoding(&context.transfer_syntax),
    ) else {
        return Err(not_of_context());
    };
    Ok(Object {
        meta: FileMeta {
            sop_class_uid,
            sop_instance_uid,
            transfer_syntax_uid,
        },
        encoding,
    })
}

/// From the first fragment to the commit.
fn receive(
    association: &mut Association,
    receiver: &mut Receiver,
    context: u8,
    object: Object,
    account: &mut Account,
) -> Result<Result<Stored, Refusal>, Error> {
    let encoding = object.encoding;
    let stored = match receiver.begin(object) {
        Ok(mut incoming) => {
            let read = association.read_data_set(context, &mut incoming);
            account.failures.came(Whose::of(incoming.found()));
            read?;
            incoming.commit()
        }
        Err(error) => {
            glance(association, context, Some(encoding), account)?;
            Err(error)
        }
    };
    Ok(stored.map_err(|error| {
        if !matches!(error, StageError::Header(_) | StageError::Mismatch { .. }) {
            tracing::error!(%error, "store an object");
        }
        Refusal::from(&error)
    }))
}

/// Reads past a data set that is refused; whose it is is told.
fn glance(
    association: &mut Association,
    context: u8,
    encoding: Option<Encoding>,
    account: &mut Account,
) -> Result<(), Error> {
    let mut glance = Glance::at(encoding);
    let read = association.read_data_set(context, &mut glance);
    account.failures.came(glance.whose());
    read
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dicom::header::HeaderError;
    use crate::store::StoreError;

    #[test]
    fn every_failure_has_its_status_and_no_comment_tells_about_our_disk() {
        let io = || std::io::Error::other("/data/secret");
        for (error, status) in [
            (StageError::Header(HeaderError::Malformed), 0xC000),
            (StageError::Header(HeaderError::Truncated), 0xC000),
            (
                StageError::Mismatch {
                    attribute: "SOP Class UID",
                },
                0xA900,
            ),
            (
                StageError::Io {
                    action: "write",
                    source: io(),
                },
                0xA700,
            ),
            (StageError::Store(StoreError::Closed), 0xA700),
            (StageError::NoRoom, 0xA700),
            (StageError::QueueFull, 0xA700),
            (StageError::Behind, 0xA700),
            (StageError::NoBucket, 0xA700),
        ] {
            let refusal = Refusal::from(&error);
            assert_eq!(refusal.status, Status(status), "{error}");
            assert!(!refusal.comment.contains("secret"));
            assert!(
                Status::ANSWERED.iter().any(|(s, ..)| *s == refusal.status),
                "{error}"
            );
        }
    }
}
