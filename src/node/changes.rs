//! What somebody changes with an editor, for the audit trail: the configuration, seen at the next start, and `routing.json`,
//! seen when it is in force.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::model::{AuditAction, AuditEvent, AuditKind, AuditParticipant};
use crate::routing::Routes;
use crate::store::{Store, StoreError};

/// Between two looks at the rules in force.
const LOOK: Duration = Duration::from_secs(1);

/// A word for a configuration: the same for the same settings, whatever the file looks like.
pub(super) fn word_of(config: &Config) -> String {
    // Another version may write the same settings otherwise: that it is another one is worth an event too.
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "magickbox {version}, SHA-256 {}",
        digest(format!("{config:?}").as_bytes())
    )
}

/// Tells where the configuration is not that of the run before.
pub(super) async fn tell_of_configuration(store: &Store, now: String) -> Result<(), StoreError> {
    let event =
        event(AuditKind::ConfigurationChanged).saying("the configuration or the program is another one");
    store.audit_if_changed("configuration", now, Some(event)).await
}

/// Tells of rules that came into force from the file, for ever; those that a caller saved are told by the API.
pub(super) async fn watch(store: Store, routes: Routes) {
    let mut seen: Option<Arc<str>> = None;
    loop {
        let rules = routes.rules();
        if seen.as_ref().is_none_or(|seen| !Arc::ptr_eq(seen, &rules.text)) {
            let event = event(AuditKind::NetworkChanged).saying("routing.json was changed on the disk");
            let now = format!("SHA-256 {}", digest(rules.text.as_bytes()));
            match store
                .audit_if_changed("routes", now, (!rules.saved).then_some(event))
                .await
            {
                Ok(()) => seen = Some(rules.text),
                Err(StoreError::Closed) => return,
                Err(error) => tracing::error!(%error, "tell the audit trail that routing.json was changed"),
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn event(kind: AuditKind) -> AuditEvent {
    AuditEvent::new(
        kind,
        AuditAction::Update,
        vec![AuditParticipant::node(None).asking()],
    )
}

fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
