//! What a start finds of the last run of the node.

use std::collections::HashSet;
use std::time::Duration;

use crate::container::{Labels, label};
use crate::model::{Job, JobState};

use super::driver::container_name;
use super::{Engine, EngineError};

/// Jobs that were running or being harvested, to be driven on; containers nobody waits for are removed.
///
/// Waits for engine and store as long as it takes: without them nothing can run anyway.
pub async fn take_up(engine: &Engine) -> Vec<Job> {
    loop {
        match try_take_up(engine).await {
            Ok(jobs) => return jobs,
            Err(error) => {
                tracing::error!(%error, "take up what was running; trying again");
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        }
    }
}

async fn try_take_up(engine: &Engine) -> Result<Vec<Job>, EngineError> {
    let mut jobs = engine.store.in_state(JobState::Running)?;
    jobs.extend(engine.store.in_state(JobState::Harvesting)?);
    let wanted: HashSet<String> = jobs.iter().map(container_name).collect();
    let ours = Labels::from([(label::NODE.to_owned(), engine.store.node_id().to_owned())]);
    for container in engine.runtime.list(&ours).await? {
        if wanted.contains(&container.name) {
            tracing::info!(container = container.name, status = ?container.status, "container taken up again");
        } else {
            tracing::info!(container = container.name, "container nobody waits for removed");
            engine.runtime.remove(&container.name, true).await?;
        }
    }
    Ok(jobs)
}
