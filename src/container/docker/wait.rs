//! Waiting for a container to end, across restarts of the engine.
//!
//! The engine's wait only says when to look again; what counts is its inspect. A wait breaks when the engine
//! restarts, and one that is never answered must not hold a job, so the state is looked at every [`RECHECK`]
//! anyway.

use std::time::Duration;

use bollard::errors::Error as Said;
use bollard::query_parameters::WaitContainerOptionsBuilder;
use futures_util::StreamExt;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::Docker;
use super::call::{Away, Pauses, was_away_since};
use super::inspect::inspect;
use crate::container::{ContainerState, Error, Result, Status, WaitEnd};

/// How long one wait is trusted.
const RECHECK: Duration = Duration::from_secs(30);

/// How long a look at the state may take although the deadline is reached: a container that ended in time,
/// while the node was down perhaps, has ended.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// How long after an end the news of its reason may come: that memory ran out is told apart from the exit, and
/// sometimes after it (containerd issue 12260).
const SETTLE: Duration = Duration::from_millis(250);

pub(super) async fn wait(docker: &Docker, name: &str, deadline: Instant) -> Result<WaitEnd> {
    let mut away = Away::new(docker.config.patience);
    let mut broken: Option<Pauses> = None;
    let mut was_away = false;
    loop {
        let pause = match timeout_at(deadline.max(Instant::now() + LAST_LOOK), inspect(docker, name)).await {
            Err(_) => return Ok(WaitEnd::DeadlineReached),
            Ok(Err(error)) if error.is_engine_down() => {
                was_away = true;
                Some(away.next_pause(error)?)
            }
            Ok(Err(error)) => return Err(error),
            Ok(Ok(None)) => return Ok(WaitEnd::Gone),
            Ok(Ok(Some(state))) => match state.status {
                Status::Exited | Status::Dead => {
                    let mut state = settled(docker, name, state).await;
                    state.engine_was_away = was_away || state.started_at.is_some_and(was_away_since);
                    return Ok(WaitEnd::Exited(state));
                }
                Status::Created => {
                    return Err(Error::NotStarted {
                        name: name.to_owned(),
                    });
                }
                Status::Running | Status::Paused | Status::Restarting | Status::Removing => {
                    away.is_back();
                    None
                }
            },
        };
        if Instant::now() >= deadline {
            return Ok(WaitEnd::DeadlineReached);
        }
        if let Some(pause) = pause {
            sleep_until(deadline.min(Instant::now() + pause)).await;
            continue;
        }
        match hint(docker, name, deadline.min(Instant::now() + RECHECK)).await {
            Hint::None => broken = None,
            hint => {
                was_away |= hint == Hint::Broke;
                // It may be over: look. If it is not, the wait broke, and from then on there are pauses between
                // two looks.
                match &mut broken {
                    None => broken = Some(Pauses::default()),
                    Some(pauses) => sleep_until(deadline.min(Instant::now() + pauses.next())).await,
                }
            }
        }
    }
}

/// The state of what ended, looked at a second time if it failed for no reason that is known yet.
async fn settled(docker: &Docker, name: &str, state: ContainerState) -> ContainerState {
    if state.exit_status == Some(0) || state.oom_killed {
        return state;
    }
    sleep(SETTLE).await;
    match inspect(docker, name).await {
        Ok(Some(later)) if !later.status.is_active() => later,
        _ => state,
    }
}

/// What the engine said of an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hint {
    /// Nothing in time.
    None,
    /// Something, whatever it is.
    Said,
    /// Its connection broke off.
    Broke,
}

/// Blocks until the engine says something about the end of the container (a status above 0 comes as an error), or `until`.
async fn hint(docker: &Docker, name: &str, until: Instant) -> Hint {
    let options = WaitContainerOptionsBuilder::new()
        .condition("not-running")
        .build();
    let mut answers = std::pin::pin!(docker.client.wait_container(name, Some(options)));
    match timeout_at(until, answers.next()).await {
        Err(_) => Hint::None,
        Ok(Some(
            Ok(_) | Err(Said::DockerContainerWaitError { .. } | Said::DockerResponseServerError { .. }),
        )) => Hint::Said,
        Ok(_) => Hint::Broke,
    }
}
