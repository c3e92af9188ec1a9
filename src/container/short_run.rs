//! A short container from create to remove.

use std::time::Duration;

use tokio::time::Instant;

use super::{ContainerState, Error, Result, RunOutput, RunSpec, Runtime, WaitEnd};

/// How much of stderr is kept, in bytes: the last lines, where the reason stands.
const STDERR_TAIL: usize = 16 << 10;

/// How long a killed container may take to be gone.
const AFTER_KILL: Duration = Duration::from_secs(30);

pub(super) async fn run_to_end<R: Runtime + ?Sized>(
    runtime: &R,
    spec: &RunSpec,
    deadline: Instant,
    stdout_limit: usize,
) -> Result<RunOutput> {
    runtime.remove(&spec.name, true).await?;
    let result = run(runtime, spec, deadline, stdout_limit).await;
    if let Err(error) = runtime.remove(&spec.name, true).await {
        // What it printed counts more than what is left of it; the next sweep by label finds it.
        tracing::warn!(
            container = spec.name,
            "failed to remove a container that ended: {error}"
        );
    }
    result
}

async fn run<R: Runtime + ?Sized>(
    runtime: &R,
    spec: &RunSpec,
    deadline: Instant,
    stdout_limit: usize,
) -> Result<RunOutput> {
    let name = &spec.name;
    runtime.create(spec).await?;
    runtime.start(name).await?;
    let mut end = runtime.wait(name, deadline).await?;
    let timed_out = end == WaitEnd::DeadlineReached;
    if timed_out {
        runtime.stop(name, spec.stop_grace).await?;
        end = runtime.wait(name, Instant::now() + AFTER_KILL).await?;
    }
    let state = ended(name, end)?;
    let output = runtime.output(name, stdout_limit, STDERR_TAIL).await?;
    Ok(RunOutput {
        state,
        timed_out,
        output,
    })
}

fn ended(name: &str, end: WaitEnd) -> Result<ContainerState> {
    match end {
        WaitEnd::Exited(state) => Ok(state),
        WaitEnd::Gone => Err(Error::NoSuchContainer {
            name: name.to_owned(),
        }),
        WaitEnd::DeadlineReached => Err(Error::TimedOut {
            action: format!("end container {name:?}"),
            limit: AFTER_KILL,
        }),
    }
}
