//! Containers of runs that were interrupted: none is left.

use std::time::Duration;

use crate::container::{Labels, Result, Runtime, label};
use crate::model::JobId;

/// Value of [`label::NODE`] of everything that `buckets run` makes: no node takes it for its own.
const NODE: &str = "buckets-run";

/// Label: the process that made it, as [`owner`] writes it.
const OWNER: &str = "magickbox.owner";

/// Label: to be kept once it has ended.
pub(super) const KEPT: &str = "magickbox.kept";

/// Between two looks for containers that the engine was about to make.
const AGAIN: Duration = Duration::from_millis(300);

/// The labels of everything of a run.
#[must_use]
pub fn labels(id: &JobId) -> Labels {
    [
        (label::NODE, NODE.to_owned()),
        (label::JOB, id.to_string()),
        (OWNER, owner()),
    ]
    .map(|(k, v)| (k.to_owned(), v))
    .into()
}

/// Removes every container of an interrupted run, a running one too. Call it once the future of the run is dropped.
///
/// # Errors
/// Those of the engine.
pub async fn clean_up(runtime: &dyn Runtime, id: &JobId) -> Result<()> {
    remove_all(runtime, &[(label::JOB.to_owned(), id.to_string())].into()).await
}

/// Removes every container of every run of this process.
///
/// # Errors
/// Those of the engine.
pub(super) async fn clean_up_own(runtime: &dyn Runtime) -> Result<()> {
    remove_all(runtime, &[(OWNER.to_owned(), owner())].into()).await
}

async fn remove_all(runtime: &dyn Runtime, labels: &Labels) -> Result<()> {
    // What was asked of the engine last may appear a moment later, so that one look is not enough.
    let mut looks = 0;
    while looks < 2 {
        let found = runtime.list(labels).await?;
        looks = if found.is_empty() { looks + 1 } else { 0 };
        for container in found {
            runtime.remove(&container.name, true).await?;
        }
        tokio::time::sleep(AGAIN).await;
    }
    Ok(())
}

/// Removes what runs left whose process was killed, and says how many containers that were. Those of a process that is
/// still there, or on another machine of the same engine, are left alone, and so are kept ones that have ended.
///
/// # Errors
/// Those of the engine.
pub async fn sweep(runtime: &dyn Runtime) -> Result<usize> {
    let mut swept = 0;
    let of_all = Labels::from([(label::NODE.to_owned(), NODE.to_owned())]);
    for container in runtime.list(&of_all).await? {
        let kept = container.labels.contains_key(KEPT) && !container.status.is_active();
        let orphan = container.labels.get(OWNER).is_some_and(|owner| is_gone(owner));
        if orphan && !kept {
            runtime.remove(&container.name, true).await?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// This process: host, namespace of its number, number, time of its start. The number alone comes again.
fn owner() -> String {
    let process = std::process::id();
    format!("{} {process} {}", place(), start_of(process).unwrap_or_default())
}

/// Where the numbers of processes are ours.
fn place() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{host} {}", namespace.display())
}

/// Whether the process is known to be no more.
fn is_gone(owner: &str) -> bool {
    let Some(process) = owner.strip_prefix(&place()) else {
        return false;
    };
    match process.trim().split_once(' ') {
        Some((number, start)) => number
            .parse()
            .is_ok_and(|n| start_of(n).as_deref() != Some(start)),
        None => false,
    }
}

/// When a process was started, in ticks since the machine was (proc(5), stat, the 22nd field).
fn start_of(process: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field, the program's name, may hold anything; it ends with the last bracket.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_that_is_known_to_be_no_more_is_gone() {
        let me = owner();
        assert!(!is_gone(&me), "{me}");
        let (all, start) = me.rsplit_once(' ').unwrap();
        assert!(start.parse::<u64>().unwrap() > 0, "{me}");
        assert!(is_gone(&format!("{all} 1")), "the number came again");
        assert!(!is_gone(&me.replace(&place(), "elsewhere pid:[1]")));
        assert!(!is_gone("nonsense"));
    }
}
