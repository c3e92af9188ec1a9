//! Events go to the collector in their order, at least once: what it has is remembered in the store, and what it may not
//! have is sent again.

use std::sync::Arc;
use std::time::Duration;

use super::connection;
use crate::config::{AuditConfig, CollectorConfig};
use crate::model::AuditSource;
use crate::model::audit::message;
use crate::store::{AuditRow, Store};
use crate::telemetry::metrics::METRICS;

/// Events of one batch.
const BATCH: u32 = 200;

/// Between two looks for new events: they come in batches, one connection for each.
const LOOK: Duration = Duration::from_secs(1);

/// The wait after the first failure.
const FIRST: Duration = Duration::from_secs(1);

/// Sends the trail to its collector.
pub struct Sender {
    store: Store,
    source: Arc<AuditSource>,
    config: CollectorConfig,
}

/// Who tells the events of this node.
#[must_use]
pub fn source(config: &AuditConfig) -> AuditSource {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    AuditSource {
        id: config.source_id.clone().unwrap_or_else(|| host.clone()),
        site: config.site.clone(),
        host,
        pid: std::process::id(),
    }
}

impl Sender {
    /// What sends to that collector.
    #[must_use]
    pub fn new(store: Store, source: AuditSource, config: CollectorConfig) -> Self {
        Self {
            store,
            source: Arc::new(source),
            config,
        }
    }

    /// Sends until dropped.
    pub async fn run(self) {
        let mut failures: u32 = 0;
        loop {
            match self.step().await {
                Ok(true) => {
                    if failures > 0 {
                        tracing::info!(failures, "the collector of the audit trail is there again");
                    }
                    failures = 0;
                    // More may wait.
                    continue;
                }
                Ok(false) => tokio::time::sleep(LOOK).await,
                Err(error) => {
                    let wait = wait_after(failures, self.config.longest_retry);
                    failures = failures.saturating_add(1);
                    let backlog = METRICS.audit_backlog.now();
                    tracing::warn!(error, failures, backlog, again_in = ?wait, "send the audit trail to its collector");
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// Brings one batch there; answers whether there was any.
    async fn step(&self) -> Result<bool, String> {
        let store = self.store.clone();
        let looked = tokio::task::spawn_blocking(move || store.audit_uncollected(BATCH));
        let (rows, backlog) = looked
            .await
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())?;
        METRICS
            .audit_backlog
            .set(i64::try_from(backlog).unwrap_or(i64::MAX));
        let Some(AuditRow { id: last, .. }) = rows.last() else {
            return Ok(false);
        };
        let (last, count) = (*last, rows.len() as u64);
        let (config, source) = (self.config.clone(), self.source.clone());
        let sent = tokio::task::spawn_blocking(move || {
            let messages: Vec<_> = rows.iter().map(|row| message(&row.event, &source)).collect();
            connection::send(&config, &messages)
        });
        sent.await
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())?;
        crate::failpoint::reach("audit-collected");
        self.store
            .audit_collected(last)
            .await
            .map_err(|error| error.to_string())?;
        let left = backlog.saturating_sub(count);
        METRICS.audit_backlog.set(i64::try_from(left).unwrap_or(i64::MAX));
        Ok(true)
    }
}

/// Doubled each time, up to a limit.
fn wait_after(failures: u32, longest: Duration) -> Duration {
    FIRST.saturating_mul(1 << failures.min(20)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let longest = Duration::from_secs(300);
        let waits: Vec<_> = [0, 1, 2, 8, 9, 1000]
            .map(|n| wait_after(n, longest).as_secs())
            .into();
        assert_eq!(waits, [1, 2, 4, 256, 300, 300]);
    }
}
