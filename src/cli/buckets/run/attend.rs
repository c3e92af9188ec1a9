//! Attending to the container of a run: the node's watch, and its log to a file and to whoever looks on.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use crate::bucket::Installed;
use crate::container::{ContainerState, Runtime};
use crate::engine::EngineError;
use crate::engine::run::LOG_LIMIT;
use crate::engine::watching::{Sample, Stopped, Watched};
use crate::model::Ended;

use super::job::Here;
use super::log_text::LogText;
use super::observer::{Observer, Progress};

/// How often the log is passed on.
const LOOK: Duration = Duration::from_millis(200);

/// Time for the rest of a log once its container has ended.
const LAST_WORDS: Duration = Duration::from_secs(60);

/// How a container ended.
pub(super) struct End {
    pub state: ContainerState,
    pub ended: Ended,
    /// The most memory it used, in bytes, as far as it was seen.
    pub peak_memory: Option<u64>,
}

/// Starts the container and stays with it until it has ended, by itself or by its limits.
pub(super) async fn attend(
    runtime: &dyn Runtime,
    here: &Here,
    bucket: &Installed,
    observer: &dyn Observer,
) -> Result<End> {
    let settings = &bucket.manifest.settings;
    let (name, output, log) = (here.container(), here.path("OUTPUT"), here.path("processing.log"));
    let started = runtime.start(&name).await;
    started.map_err(|error| EngineError::of_start(&here.job.stream, &here.gpus, error))?;
    let begun = Instant::now();
    let watched = Watched {
        runtime,
        name: &name,
        limit: settings.timeout,
        output: &output,
        allowed: &settings.resources,
    };
    let (tell, sampled) = watch::channel(Sample::default());
    let mut seen = |sample: Sample| {
        tell.send_replace(sample);
    };
    let ended = async {
        let follow = runtime.follow_logs(&name, &log, LOG_LIMIT);
        let watch = watched.until_end(std::future::pending(), &mut seen);
        tokio::pin!(follow, watch);
        tokio::select! {
            // Without a watch nothing ends the container in time: its log has to wait.
            end = &mut watch => (end, tokio::time::timeout(LAST_WORDS, follow).await.ok()),
            copied = &mut follow => (watch.await, Some(copied)),
        }
    };
    tokio::pin!(ended);
    let mut text = LogText::default();
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (end, copied) = loop {
        tokio::select! {
            end = &mut ended => break end,
            _ = look.tick() => {
                pass_on(&mut text, &log, observer);
                observer.progress(&Progress {
                    elapsed: begun.elapsed(),
                    limit: settings.timeout,
                    memory_limit: settings.resources.memory,
                    sample: *sampled.borrow(),
                });
            }
        }
    };
    while pass_on(&mut text, &log, observer) {}
    let (state, stopped) = end?.context("the container was removed by somebody else")?;
    match copied {
        Some(Ok(copy)) if copy.broken.is_none() => {}
        _ => observer.says("processing.log is incomplete: the container engine did not give the rest of it"),
    }
    let stopped_for = match stopped {
        Stopped::Output(ref why) => Some(why.clone()),
        // What it wrote in its last moments counts too.
        _ => watched.too_much().await,
    };
    let peak = sampled.borrow().memory;
    Ok(End {
        ended: Ended {
            exit_status: state.exit_status,
            oom_killed: state.oom_killed,
            timed_out: (stopped == Stopped::Clock).then_some(settings.timeout),
            stopped: stopped_for,
        },
        peak_memory: (peak > 0).then_some(peak),
        state,
    })
}

/// Passes on what the log has grown by, and says whether it had.
fn pass_on(text: &mut LogText, log: &Path, observer: &dyn Observer) -> bool {
    // There is no log before the first byte of it is followed.
    let more = text.more(log).unwrap_or_default();
    if !more.is_empty() {
        observer.printed(&more);
    }
    !more.is_empty()
}
