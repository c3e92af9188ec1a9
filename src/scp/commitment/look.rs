//! What can be promised for a request, and is: only what is on the disk with its hash, and that for the time of
//! `commit_for`.

use std::collections::HashMap;
use std::time::Duration;

use crate::dicom::commitment::{Answer, Reference};
use crate::model::{FailureReason, JobId, Keep, Layout, Moment, Timestamp, Uid};
use crate::stage::is_on_disk;
use crate::store::{CommitmentObject, CommitmentRow, HeldObject, Store, StoreError};

/// What is not there may be on its way: its row follows behind the answer to its sender by some milliseconds.
const LOOKS: u32 = 4;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

const COMMITTED: u16 = 0;

/// Looks at the objects of a request and keeps what became of each. What is committed is kept from retention first and
/// read then, so that nothing is promised that is just being removed.
///
/// # Errors
/// What the store says; the request stays as it was.
pub(super) fn look(
    store: &Store,
    layout: &Layout,
    promise: Keep,
    request: &CommitmentRow,
) -> Result<(), StoreError> {
    let objects = store.commitment_objects(request.id)?;
    let uids: Vec<_> = objects.iter().map(|o| o.sop_instance_uid.clone()).collect();
    let mut held = store.held_objects(&request.stream, &uids)?;
    for _ in 1..LOOKS {
        if held.iter().all(|found| !found.is_empty()) {
            break;
        }
        std::thread::sleep(BETWEEN_LOOKS);
        store.hurry().wait()?;
        held = store.held_objects(&request.stream, &uids)?;
    }
    let mut jobs: Vec<JobId> = held.iter().flatten().map(|h| h.job.clone()).collect();
    jobs.sort();
    jobs.dedup();
    let now = store.moment();
    let until = match promise {
        Keep::Forever => None,
        Keep::For(time) => Some(Moment {
            at: now.at.plus(time),
            ran: now.ran.plus(time),
        }),
    };
    let kept = store.promise(jobs, until, now.at).wait()?;
    let until = until.map(|moment| moment.at);
    crate::failpoint::reach("commitment-promised");
    let mut counts: HashMap<JobId, usize> = HashMap::new();
    let mut reasons = Vec::new();
    for (object, mut found) in objects.iter().zip(held) {
        found.retain(|h| kept.contains(&h.job));
        let reason = match judge(layout, object, &found) {
            Ok(job) => {
                *counts.entry(job.clone()).or_default() += 1;
                COMMITTED
            }
            Err(FailureReason(reason)) => reason,
        };
        reasons.push(reason);
    }
    let step = |(job, n): (JobId, usize)| {
        (
            job,
            format!("{n} objects to {}, kept {}", request.calling, until_text(until)),
        )
    };
    let steps = counts.into_iter().map(step).collect();
    store.commitment_checked(request.id, reasons, until, steps).wait()
}

fn until_text(until: Option<Timestamp>) -> String {
    until.map_or_else(|| "for ever".to_owned(), |t| format!("until {}", t.to_rfc3339()))
}

/// The job that has an object as it was stored, or why it is not committed.
fn judge<'a>(
    layout: &Layout,
    object: &CommitmentObject,
    found: &'a [HeldObject],
) -> Result<&'a JobId, FailureReason> {
    if found.is_empty() {
        return Err(FailureReason::NO_SUCH_INSTANCE);
    }
    let of_class: Vec<_> = found
        .iter()
        .filter(|h| h.sop_class_uid == object.sop_class_uid)
        .collect();
    if of_class.is_empty() {
        return Err(FailureReason::CLASS_INSTANCE_CONFLICT);
    }
    for held in of_class {
        match is_on_disk(layout, held) {
            Ok(true) => return Ok(&held.job),
            Ok(false) => {
                tracing::error!(job.id = %held.job, "an object that storage commitment was asked for is not as it was stored");
            }
            Err(error) => {
                tracing::error!(job.id = %held.job, %error, "look at an object that storage commitment was asked for");
            }
        }
    }
    // The store knows it, and the disk does not give it back.
    Err(FailureReason::PROCESSING_FAILURE)
}

/// What a request is to be answered with; `None` for one that is not there or not looked at.
///
/// # Errors
/// What the store says.
pub(super) fn answer_of(store: &Store, id: i64) -> Result<Option<Answer>, StoreError> {
    let Some(request) = store.commitment(id)?.filter(|r| r.failed.is_some()) else {
        return Ok(None);
    };
    let uid = |text: &str| {
        Uid::parse(text.as_bytes()).map_err(|error| StoreError::State(format!("{text:?}: {error}")))
    };
    let mut answer = Answer {
        transaction_uid: uid(&request.transaction_uid)?,
        committed: Vec::new(),
        failed: Vec::new(),
    };
    for object in store.commitment_objects(id)? {
        let reference = Reference {
            sop_class_uid: uid(&object.sop_class_uid)?,
            sop_instance_uid: uid(&object.sop_instance_uid)?,
        };
        match object.reason {
            Some(COMMITTED) => answer.committed.push(reference),
            Some(reason) => answer.failed.push((reference, FailureReason(reason))),
            None => return Ok(None),
        }
    }
    Ok(Some(answer))
}
