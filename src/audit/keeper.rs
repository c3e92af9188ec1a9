//! Events that are older than they are to be kept go, a few at a time.

use std::time::Duration;

use crate::config::AuditConfig;
use crate::model::Timestamp;
use crate::store::Store;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(3600);

/// Takes old events out of the trail.
pub struct Keeper {
    store: Store,
    keep: Duration,
    /// What a collector does not have yet stays, however old.
    collects: bool,
}

impl Keeper {
    /// As the configuration says.
    #[must_use]
    pub const fn new(store: Store, config: &AuditConfig) -> Self {
        Self {
            store,
            keep: config.keep,
            collects: config.collector.is_some(),
        }
    }

    /// Looks every hour, until dropped.
    pub async fn run(self) {
        loop {
            let keep = i64::try_from(self.keep.as_millis()).unwrap_or(i64::MAX);
            let before = Timestamp(Timestamp::now().0.saturating_sub(keep));
            match self.store.audit_prune(before, self.collects).await {
                Ok(0) => tokio::time::sleep(LOOK).await,
                Ok(events) => tracing::info!(events, "events of the audit trail were old enough to go"),
                Err(error) => {
                    tracing::error!(%error, "take old events out of the audit trail");
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }
}
