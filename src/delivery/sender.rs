//! One attempt at a delivery: pure of time and of the store, so that what follows can be decided.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::destinations::Target;
use super::folder::{self, FolderError};
use super::stow::{self, StowError};
use crate::config::DeliveryConfig;
use crate::dicom::scu::{self, Answer, Outgoing, ScuError, ScuTimeouts};
use crate::dicom::status::{Status, StatusClass};
use crate::dicom::upper_layer::Stop;
use crate::model::{Delivery, DeliveryEvent, DeliveryInstance, InstanceState, Moment, Remote, Uid};
use crate::store::{AttemptEnd, InstanceAnswer};

/// What a destination of any kind said to one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// A status of C-STORE (PS3.4 §B.2.3), which STOW-RS gives as a reason; and its comment.
    Status(Status, Option<String>),
    /// No, for good.
    Refused(String),
    /// Not now.
    Later(String),
}

impl From<Answer> for Said {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Status(status, comment) => Self::Status(status, comment),
            Answer::NoContext => {
                Self::Refused("the destination takes no such SOP class in this transfer syntax".to_owned())
            }
            Answer::Unreadable(why) => Self::Refused(why),
        }
    }
}

/// Why an attempt did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    #[error(transparent)]
    Scu(#[from] ScuError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Stow(#[from] StowError),
}

impl SendError {
    /// Whether the destination answered something else than it was asked.
    const fn is_wrong_answer(&self) -> bool {
        matches!(self, Self::Scu(error) if error.is_wrong_answer())
    }

    /// Whether the destination will say the same again until somebody changes something.
    const fn is_permanent(&self) -> bool {
        match self {
            Self::Scu(error) => error.is_permanent(),
            Self::Folder(_) => false,
            Self::Stow(error) => error.is_permanent(),
        }
    }
}

/// Sends files to a destination of any kind; `said` hears of each.
fn send(
    target: &Target,
    files: &[Outgoing],
    timeouts: ScuTimeouts,
    stop: &Stop,
    mut said: impl FnMut(usize, Said),
) -> Result<(), SendError> {
    let pace = target.pace.as_ref();
    match &target.remote {
        Remote::Dicom(remote) => {
            scu::send(remote, files, timeouts, pace, stop, |i, answer| {
                said(i, answer.into())
            })?;
        }
        Remote::Folder(folder) => folder::send(folder, files, pace, stop, said)?,
        Remote::Web(web) => stow::send(web, files, timeouts, pace, stop, said)?,
    }
    Ok(())
}

/// What an attempt came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Attempt {
    /// Objects that were refused for good.
    pub refused: usize,
    /// Objects that may be taken later.
    pub transient: usize,
    /// The first thing that went wrong, for people.
    pub error: Option<String>,
    /// The destination refuses the association itself, for good.
    pub permanent: bool,
    /// The attempt did not come to its end.
    pub broken: bool,
    /// … for the destination answered something else than it was asked.
    pub wrong_answer: bool,
    /// Objects that the destination answered.
    pub answered: usize,
}

/// Sends what a delivery still has to send, from its directory or, where there is one, from a copy; `answered` hears of each
/// object.
pub(super) fn attempt(
    target: &Target,
    directory: &Path,
    copies: &HashMap<String, PathBuf>,
    instances: &[DeliveryInstance],
    timeouts: ScuTimeouts,
    stop: &Stop,
    mut answered: impl FnMut(InstanceAnswer),
) -> Attempt {
    let mut attempt = Attempt::default();
    let mut files = Vec::new();
    for instance in instances.iter().filter(|i| i.state == InstanceState::Waiting) {
        let original = || directory.join(&instance.file);
        let path = copies.get(&instance.file).cloned().unwrap_or_else(original);
        match outgoing(path, instance) {
            Some(file) => files.push((instance, file)),
            None => {
                attempt.refuse(format!("{}: the store has no valid UIDs for it", instance.file));
                answered(InstanceAnswer {
                    file: instance.file.clone(),
                    state: InstanceState::Refused,
                    status: None,
                    reason: Some("the store has no valid UIDs for it".to_owned()),
                });
            }
        }
    }
    let outgoing: Vec<_> = files.iter().map(|(_, file)| file.clone()).collect();
    if outgoing.is_empty() {
        return attempt;
    }
    let sent = send(target, &outgoing, timeouts, stop, |index, said| {
        let Some((instance, _)) = files.get(index) else {
            return;
        };
        attempt.answered += 1;
        let (state, status, reason) = attempt.judge(&instance.sop_instance_uid, said);
        answered(InstanceAnswer {
            file: instance.file.clone(),
            state,
            status,
            reason,
        });
    });
    if let Err(error) = sent {
        attempt.fail(&error);
    }
    attempt
}

fn outgoing(path: PathBuf, instance: &DeliveryInstance) -> Option<Outgoing> {
    let uid = |text: &str| Uid::parse(text.as_bytes()).ok();
    Some(Outgoing {
        path,
        sop_class_uid: uid(&instance.sop_class_uid)?,
        sop_instance_uid: uid(&instance.sop_instance_uid)?,
        transfer_syntax_uid: uid(&instance.transfer_syntax_uid)?,
    })
}

impl Attempt {
    /// One that did not come to its end.
    pub fn broken(why: String) -> Self {
        Self {
            broken: true,
            error: Some(why),
            ..Self::default()
        }
    }

    fn refuse(&mut self, why: String) {
        self.refused += 1;
        self.error.get_or_insert(why);
    }

    fn fail(&mut self, error: &SendError) {
        self.broken = true;
        self.permanent = error.is_permanent();
        self.wrong_answer = error.is_wrong_answer();
        self.error = Some(error.to_string());
    }

    /// What an answer means for its object.
    fn judge(&mut self, uid: &str, said: Said) -> (InstanceState, Option<u16>, Option<String>) {
        let (status, comment) = match said {
            Said::Status(status, comment) => (status, comment),
            Said::Refused(why) => {
                self.refuse(format!("{uid}: {why}"));
                return (InstanceState::Refused, None, Some(why));
            }
            Said::Later(why) => {
                self.transient += 1;
                self.error.get_or_insert(format!("{uid}: {why}"));
                return (InstanceState::Waiting, None, Some(why));
            }
        };
        let remark = comment.as_deref().map(|c| format!(" ({c})")).unwrap_or_default();
        let meaning = status.meaning();
        let error = || format!("{uid}: status {status}, {}{remark}", meaning.name);
        match meaning.class {
            StatusClass::Success | StatusClass::Warning | StatusClass::Duplicate => {}
            StatusClass::Transient => {
                self.transient += 1;
                self.error.get_or_insert_with(error);
            }
            StatusClass::Refused => self.refuse(error()),
        }
        (InstanceState::after(meaning.class), Some(status.0), comment)
    }
}

/// Attempts in a row without any answer but a wrong one: one is an accident, so many are how the destination is, and the same
/// objects would be sent a hundred times until somebody hears of it.
const MOST_FAULTS: u32 = 3;

/// What follows from an attempt: what happens to the delivery, and when to try again.
pub(super) fn next(
    config: &DeliveryConfig,
    delivery: &Delivery,
    attempt: Attempt,
    earlier_refused: bool,
    now: Moment,
) -> AttemptEnd {
    if attempt.permanent {
        return AttemptEnd::last(DeliveryEvent::Refused, attempt.error);
    }
    if attempt.broken || attempt.transient > 0 {
        let faults = match (attempt.wrong_answer, attempt.answered) {
            (false, _) => 0,
            (true, 0) => delivery.faults.saturating_add(1),
            (true, _) => 1,
        };
        if faults >= MOST_FAULTS {
            let what = attempt.error.unwrap_or_default();
            let why = format!("the destination breaks the protocol, {faults} attempts in a row: {what}");
            return AttemptEnd::last(DeliveryEvent::GaveUp, Some(why));
        }
        // Not since it was created: meanwhile it may have waited behind another one, or stood by for it. Nor by the clock,
        // which may be set: what nobody tried was not tried in vain.
        if now.ran.since(delivery.tried.unwrap_or(now.ran)) >= config.give_up {
            return AttemptEnd::last(DeliveryEvent::GaveUp, attempt.error);
        }
        let wait = spread(
            wait(config, delivery.attempts.saturating_sub(delivery.attempts_before)),
            delivery,
        );
        return AttemptEnd {
            event: DeliveryEvent::Postponed,
            next_at: Some(now.at.plus(wait)),
            error: attempt.error,
            faults,
        };
    }
    let is_refused = attempt.refused > 0 || earlier_refused;
    let event = if is_refused {
        DeliveryEvent::Refused
    } else {
        DeliveryEvent::Accepted
    };
    AttemptEnd::last(event, attempt.error)
}

/// The wait after so many attempts before this one: doubled each time.
fn wait(config: &DeliveryConfig, attempts_before: u32) -> Duration {
    let factor = 2u32.saturating_pow(attempts_before.min(20));
    config
        .first_retry
        .saturating_mul(factor)
        .min(config.longest_retry)
}

/// The wait of one delivery among others: up to a quarter less, for each its own, so that a destination that comes back is
/// not asked by all of them at once.
fn spread(wait: Duration, delivery: &Delivery) -> Duration {
    let own = (delivery.id, delivery.job.as_str(), delivery.attempts);
    let hash = twox_hash::xxhash3_128::Hasher::oneshot(format!("{own:?}").as_bytes());
    let thousandths = u32::try_from(hash % 250).unwrap_or(0);
    wait.saturating_sub(wait / 1000 * thousandths)
}

#[cfg(test)]
pub(super) mod tests;
