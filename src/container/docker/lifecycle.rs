//! Starting, stopping, killing and removing; each may be repeated.

use std::time::Duration;

use bollard::query_parameters::{
    KillContainerOptionsBuilder, RemoveContainerOptionsBuilder, StopContainerOptionsBuilder,
};
use tokio::time::sleep;

use super::Docker;
use super::call::Away;
use super::inspect::inspect;
use crate::container::{Error, Result, Status};

pub(super) async fn start(docker: &Docker, name: &str) -> Result<()> {
    let absent = || Error::NoSuchContainer {
        name: name.to_owned(),
    };
    let action = format!("start container {name:?}");
    docker
        .patiently(|| async {
            // The engine would start one that has ended a second time, so that is looked at first.
            match inspect(docker, name).await? {
                None => Err(absent()),
                Some(state) if state.status != Status::Created => Ok(()),
                Some(_) => docker
                    .ask(&action, docker.client.start_container(name, None))
                    .await
                    .map_err(|error| without_gpu(name, error)),
            }
        })
        .await
}

/// What engine, CDI and NVIDIA's hook say of a GPU that they cannot give.
const NO_GPU: [&str; 4] = [
    "could not select device driver",
    "CDI device injection failed",
    "unresolvable CDI devices",
    "nvidia-container-cli",
];

/// Tells an engine that has no such GPU from one that failed: trying again would change nothing.
fn without_gpu(name: &str, error: Error) -> Error {
    match error {
        Error::Failed { message, .. } | Error::Refused { message, .. }
            if NO_GPU.iter().any(|words| message.contains(words)) =>
        {
            Error::NoGpu {
                name: name.to_owned(),
                message,
            }
        }
        other => other,
    }
}

pub(super) async fn stop(docker: &Docker, name: &str, grace: Duration) -> Result<()> {
    let seconds = whole_seconds(grace);
    let limit = docker.config.call_timeout + Duration::from_secs(u64::from(seconds.unsigned_abs()));
    let options = StopContainerOptionsBuilder::new().t(seconds).build();
    let action = format!("stop container {name:?}");
    docker
        .patiently(|| async {
            let answer = docker
                .ask_within(
                    limit,
                    &action,
                    docker.client.stop_container(name, Some(options.clone())),
                )
                .await;
            unless_over(docker, name, answer).await
        })
        .await
}

pub(super) async fn kill(docker: &Docker, name: &str) -> Result<()> {
    let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
    let action = format!("kill container {name:?}");
    docker
        .patiently(|| async {
            let answer = docker
                .ask(&action, docker.client.kill_container(name, Some(options.clone())))
                .await;
            unless_over(docker, name, answer).await
        })
        .await
}

/// Forgives an engine that would not end what has ended already; engines say so in several ways.
async fn unless_over(docker: &Docker, name: &str, answer: Result<()>) -> Result<()> {
    match answer {
        Err(Error::Refused { .. } | Error::Failed { .. })
            if !inspect(docker, name)
                .await?
                .is_some_and(|state| state.status.is_active()) =>
        {
            Ok(())
        }
        answer => answer,
    }
}

pub(super) async fn remove(docker: &Docker, name: &str, force: bool) -> Result<()> {
    let options = RemoveContainerOptionsBuilder::new().v(true).force(force).build();
    let action = format!("remove container {name:?}");
    let mut away = Away::new(docker.config.patience);
    loop {
        match docker
            .ask(
                &action,
                docker.client.remove_container(name, Some(options.clone())),
            )
            .await
        {
            Err(Error::Refused { status: 404, .. }) => return Ok(()),
            // Someone else is at it, perhaps an earlier attempt of ours: wait until the name is free.
            Err(error) if error.is_engine_down() || is_being_removed(&error) => {
                sleep(away.next_pause(error)?).await
            }
            answer => return answer,
        }
    }
}

fn is_being_removed(error: &Error) -> bool {
    matches!(error, Error::Refused { status: 409, message, .. } if message.contains("already in progress"))
}

/// The engine counts grace in whole seconds.
pub(super) fn whole_seconds(grace: Duration) -> i32 {
    let up = u64::from(grace.subsec_nanos() > 0);
    i32::try_from(grace.as_secs().saturating_add(up)).unwrap_or(i32::MAX)
}
