//! One attempt at a delivery: pure of time and of the store, so that what follows can be decided.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::dicom::scu::{Answer, Outgoing, ScuError, ScuTimeouts, send};
use crate::dicom::status::StatusClass;
use crate::dicom::upper_layer::Stop;
use crate::model::{Delivery, DeliveryEvent, DeliveryInstance, InstanceState, RemoteAe, Timestamp, Uid};

use crate::config::DeliveryConfig;

/// What became of one object.
pub(super) type InstanceAnswer = (String, InstanceState, Option<u16>);

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
}

/// Sends what a delivery still has to send, from its directory or, where there is one, from a copy; `answered` hears of each
/// object.
pub(super) fn attempt(
    remote: &RemoteAe,
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
                answered((instance.file.clone(), InstanceState::Refused, None));
            }
        }
    }
    let outgoing: Vec<_> = files.iter().map(|(_, file)| file.clone()).collect();
    if outgoing.is_empty() {
        return attempt;
    }
    let sent = send(remote, &outgoing, timeouts, stop, |index, answer| {
        let Some((instance, _)) = files.get(index) else {
            return;
        };
        if let Some((state, status)) = attempt.judge(&instance.sop_instance_uid, answer) {
            answered((instance.file.clone(), state, status));
        }
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

    fn fail(&mut self, error: &ScuError) {
        self.broken = true;
        self.permanent = error.is_permanent();
        self.error = Some(error.to_string());
    }

    /// What an answer means for its object; `None`: it stays waiting.
    fn judge(&mut self, uid: &str, answer: Answer) -> Option<(InstanceState, Option<u16>)> {
        match answer {
            Answer::Status(status, comment) => {
                let comment = comment.map(|c| format!(" ({c})")).unwrap_or_default();
                match status.class() {
                    StatusClass::Success | StatusClass::Warning => {
                        Some((InstanceState::Sent, Some(status.0)))
                    }
                    StatusClass::Transient => {
                        self.transient += 1;
                        self.error
                            .get_or_insert(format!("{uid}: status {status}{comment}"));
                        None
                    }
                    StatusClass::Refused => {
                        self.refuse(format!("{uid}: status {status}{comment}"));
                        Some((InstanceState::Refused, Some(status.0)))
                    }
                }
            }
            Answer::NoContext => {
                self.refuse(format!(
                    "{uid}: the destination takes no such SOP class in this transfer syntax"
                ));
                Some((InstanceState::Refused, None))
            }
            Answer::Unreadable(why) => {
                self.refuse(format!("{uid}: {why}"));
                Some((InstanceState::Refused, None))
            }
        }
    }
}

/// What follows from an attempt: what happens to the delivery, and when to try again.
pub(super) fn next(
    config: &DeliveryConfig,
    delivery: &Delivery,
    attempt: &Attempt,
    earlier_refused: bool,
    now: Timestamp,
) -> (DeliveryEvent, Option<Timestamp>) {
    if attempt.permanent {
        return (DeliveryEvent::Refused, None);
    }
    if attempt.broken || attempt.transient > 0 {
        if now.since(delivery.created_at) >= config.give_up {
            return (DeliveryEvent::GaveUp, None);
        }
        return (
            DeliveryEvent::Postponed,
            Some(now.plus(wait(config, delivery.attempts))),
        );
    }
    if attempt.refused > 0 || earlier_refused {
        (DeliveryEvent::Refused, None)
    } else {
        (DeliveryEvent::Accepted, None)
    }
}

/// The wait after so many attempts before this one: doubled each time.
fn wait(config: &DeliveryConfig, attempts_before: u32) -> Duration {
    let factor = 2u32.saturating_pow(attempts_before.min(20));
    config
        .first_retry
        .saturating_mul(factor)
        .min(config.longest_retry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AeTitle, DeliveryState, Direction, JobId};

    fn config() -> DeliveryConfig {
        crate::config::Config::load(None).unwrap().delivery
    }

    fn delivery(attempts: u32, created_at: Timestamp) -> Delivery {
        let title = AeTitle::parse("PACS").unwrap();
        Delivery {
            id: 1,
            job: JobId::generate(created_at),
            stream: title.clone(),
            destination: title,
            remote: None,
            after: None,
            route: String::new(),
            direction: Direction::Output,
            state: DeliveryState::Sending,
            attempts,
            created_at,
            next_at: None,
            error: None,
            gate: Default::default(),
            gate_state: Default::default(),
        }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let seconds: Vec<_> = (0..9).map(|n| wait(&config(), n).as_secs()).collect();
        assert_eq!(seconds, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        assert_eq!(wait(&config(), u32::MAX).as_secs(), 3600);
    }

    #[test]
    fn every_end_of_an_attempt_has_its_event() {
        let now = Timestamp::now();
        let fresh = delivery(0, now);
        let event = |attempt: Attempt, earlier| next(&config(), &fresh, &attempt, earlier, now).0;
        assert_eq!(event(Attempt::default(), false), DeliveryEvent::Accepted);
        assert_eq!(event(Attempt::default(), true), DeliveryEvent::Refused);
        assert_eq!(
            event(
                Attempt {
                    refused: 1,
                    ..Attempt::default()
                },
                false
            ),
            DeliveryEvent::Refused
        );
        assert_eq!(
            event(
                Attempt {
                    transient: 1,
                    refused: 1,
                    ..Attempt::default()
                },
                false
            ),
            DeliveryEvent::Postponed
        );
        assert_eq!(
            event(
                Attempt {
                    broken: true,
                    ..Attempt::default()
                },
                false
            ),
            DeliveryEvent::Postponed
        );
        let rejected = Attempt {
            broken: true,
            permanent: true,
            ..Attempt::default()
        };
        assert_eq!(event(rejected, false), DeliveryEvent::Refused);
        let old = delivery(50, Timestamp(now.0 - 73 * 3_600_000));
        let broken = Attempt {
            broken: true,
            ..Attempt::default()
        };
        assert_eq!(
            next(&config(), &old, &broken, false, now),
            (DeliveryEvent::GaveUp, None)
        );
    }
}
