//! The deadline of held jobs: what nobody released within `[engine] hold` is cancelled. It counts from the step that the
//! store has of the hold, so a restart of the node changes nothing of it.

use std::time::Duration;

use crate::model::Timestamp;
use crate::store::{Store, StoreError};

/// How often held jobs are looked at: a deadline is kept to within this.
const LOOK: Duration = Duration::from_secs(5);

/// Cancels held jobs as they become overdue; never ends.
pub async fn end_overdue_holds(store: Store, hold: Duration) {
    loop {
        if let Err(error) = pass(&store, hold, Timestamp::now()).await {
            tracing::error!(%error, "look at the held jobs");
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Cancels what is overdue by now.
async fn pass(store: &Store, hold: Duration, now: Timestamp) -> Result<(), StoreError> {
    for (job, since) in store.held()? {
        if since.plus(hold) > now {
            continue;
        }
        let why = format!(
            "held for {}, and nobody released it: `magickbox job restart {job}` begins it anew",
            humantime::format_duration(hold)
        );
        if store.end_hold(&job, since, why, now).await? {
            tracing::warn!(job.id = %job, "a job was held for too long and is cancelled");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::queued;
    use crate::model::{JobId, JobState};

    const HOLD: Duration = Duration::from_secs(3600);

    fn wait<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(future)
    }

    fn state(store: &Store, job: &JobId) -> JobState {
        store.job(job).unwrap().unwrap().state
    }

    #[test]
    fn a_job_is_held_until_its_deadline_and_then_cancelled_with_the_reason() {
        let (_dir, store, job) = queued();
        store.hold(&job).wait().unwrap();
        let since = store.held_since(&job).unwrap();
        let before = Timestamp(since.0 - 1).plus(HOLD);
        wait(pass(&store, HOLD, before)).unwrap();
        assert_eq!(state(&store, &job), JobState::Held);
        wait(pass(&store, HOLD, since.plus(HOLD))).unwrap();
        let ended = store.job(&job).unwrap().unwrap();
        assert_eq!(ended.state, JobState::Cancelled);
        let reason = ended.reason.unwrap();
        assert!(
            reason.starts_with("held for 1h, and nobody released it"),
            "{reason}"
        );
        let events = store.events(&job).unwrap();
        assert!(
            events.iter().any(|e| e.kind == "cancelled" && e.text == reason),
            "{events:?}"
        );
    }

    #[test]
    fn the_deadline_counts_from_the_last_hold_and_a_release_ends_it() {
        let (_dir, store, job) = queued();
        store.hold(&job).wait().unwrap();
        let first = store.held_since(&job).unwrap();
        store.release(&job, Timestamp::now()).wait().unwrap();
        wait(pass(&store, HOLD, first.plus(HOLD * 2))).unwrap();
        assert_eq!(state(&store, &job), JobState::Queued);
        store.hold(&job).wait().unwrap();
        // As if it had been held once more an hour later.
        let again = first.plus(HOLD).0;
        let later = move |db: &rusqlite::Connection| {
            let last =
                "UPDATE events SET at = ?1 WHERE id = (SELECT max(id) FROM events WHERE kind = 'held')";
            Ok(db.execute(last, [again])?)
        };
        store.write(later).wait().unwrap();
        wait(pass(&store, HOLD, first.plus(HOLD))).unwrap();
        assert_eq!(state(&store, &job), JobState::Held);
        // Who looked before the operator held it again ends nothing.
        assert!(!store.end_hold(&job, first, "late".into(), first).wait().unwrap());
        assert_eq!(state(&store, &job), JobState::Held);
    }
}
