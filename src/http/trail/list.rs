//! `/api/v1/audit`: the audit trail, for whoever may operate. Looking at it is an event of its own.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::{AuditKind, Timestamp};
use crate::store::{AuditFilter, AuditRow};

use super::super::Context;
use super::super::api::{ask, job_id};
use super::super::problem::Problem;

/// Events of one answer when nothing is asked for, and at most.
const SHOWN: u32 = 100;
const MOST_SHOWN: u32 = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Listing {
    since: Option<String>,
    until: Option<String>,
    kind: Option<String>,
    study: Option<String>,
    job: Option<String>,
    /// `next` of the page before.
    before: Option<i64>,
    limit: Option<u32>,
}

/// `GET /api/v1/audit?since=&until=&kind=&study=&job=&before=&limit=` answers `{ "events": [ … ], "next": … }`, newest
/// first by when they happened; `limit` is 100 if absent, 1000 at most; `next` is what `before` of the next page is, `null` on the last. `since`
/// and `until` are moments as RFC 3339 writes them, or days. An entry has `id`, its number in the trail, and
///
/// - `at`, `kind`, `action`, `outcome`: what happened, as in [`AuditKind`]; `text`: a sentence, where there is one;
/// - `participants`: `user`, `ae_title`, `address`, `requestor`, `role`;
/// - `study`: `uid`, empty where it is not known, `patient_id`, `sop_classes` with the number of objects of each;
/// - `objects`: `what` and `name`: jobs, buckets, addresses of requests.
pub(in crate::http) async fn list(
    State(context): State<Context>,
    query: Result<Query<Listing>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(asked) = query?;
    let limit = asked.limit.unwrap_or(SHOWN).clamp(1, MOST_SHOWN);
    let filter = AuditFilter {
        since: asked.since.as_deref().map(moment).transpose()?,
        until: asked.until.as_deref().map(moment).transpose()?,
        kind: asked.kind.as_deref().map(kind).transpose()?,
        study: asked.study,
        job: asked
            .job
            .as_deref()
            .map(|job| job_id(job).map(|id| id.to_string()))
            .transpose()?,
        before: asked.before,
        // One more tells whether there are more.
        limit: limit + 1,
    };
    let mut rows = ask(move || context.store.audit_events(&filter)).await?;
    let more = rows.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = rows.last().filter(|_| more).map(|row| row.id);
    let shown: Vec<_> = rows.iter().map(show).collect();
    Ok(Json(json!({ "events": shown, "next": next })))
}

fn show(row: &AuditRow) -> Value {
    let mut shown = json!({ "id": row.id });
    let event = serde_json::to_value(&row.event).unwrap_or_default();
    if let (Some(shown), Value::Object(event)) = (shown.as_object_mut(), event) {
        shown.extend(event);
    }
    shown
}

fn moment(text: &str) -> Result<Timestamp, Problem> {
    Timestamp::parse(text).ok_or_else(|| {
        let asked: String = text.chars().take(40).collect();
        Problem::bad_request(format!(
            "{asked:?}: a moment like 2026-11-01T08:00:00Z, or a day like 2026-11-01"
        ))
    })
}

fn kind(text: &str) -> Result<AuditKind, Problem> {
    AuditKind::parse(text).map_err(|allowed| {
        let asked: String = text.chars().take(40).collect();
        Problem::bad_request(format!("{asked:?} is no kind of event; {allowed}"))
    })
}
