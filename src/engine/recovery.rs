//! What a start finds of the last run of the node.

use std::collections::HashMap;
use std::time::Duration;

use crate::container::{Labels, label};
use crate::model::{GpuId, Job, JobState};

use super::driver::container_name;
use super::run::gpus_of;
use super::{Engine, EngineError};

/// A job of the last run of the node.
#[derive(Clone, Debug)]
pub struct TakenUp {
    /// The job, running or being harvested.
    pub job: Job,
    /// The graphics processors of its container.
    pub gpus: Vec<GpuId>,
}

/// Jobs that were running or being harvested, to be driven on; containers nobody waits for are removed.
///
/// Waits for engine and store as long as it takes: without them nothing can run anyway.
pub async fn take_up(engine: &Engine) -> Vec<TakenUp> {
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

async fn try_take_up(engine: &Engine) -> Result<Vec<TakenUp>, EngineError> {
    let mut jobs = engine.store.in_state(JobState::Running)?;
    jobs.extend(engine.store.in_state(JobState::Harvesting)?);
    let by_container = |job: Job| (container_name(&job), TakenUp { job, gpus: vec![] });
    let mut taken: HashMap<_, _> = jobs.into_iter().map(by_container).collect();
    let ours = Labels::from([(label::NODE.to_owned(), engine.store.node_id().to_owned())]);
    for container in engine.runtime.list(&ours).await? {
        if let Some(taken) = taken.get_mut(&container.name) {
            taken.gpus = gpus_of(&container.labels);
            tracing::info!(container = container.name, status = ?container.status, "container taken up again");
        } else {
            tracing::info!(container = container.name, "container nobody waits for removed");
            engine.runtime.remove(&container.name, true).await?;
        }
    }
    Ok(taken.into_values().collect())
}
