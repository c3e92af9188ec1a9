//! `/api/v1/commitments`: what peers asked to be committed, and what they were answered.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde_json::{Value, json};

use crate::store::{CommitmentObject, CommitmentRow, StoreError};

use super::Context;
use super::api::{Newest, ask};
use super::problem::Problem;

/// Requests of one answer at most.
const MOST_SHOWN: u32 = 1000;

/// Objects of one request that are shown.
const OBJECTS: usize = 100;

/// `GET /api/v1/commitments?limit=N` answers `{ "commitments": [ … ] }`, newest first; `limit` is 100 if absent, 1000 at
/// most. An entry has
///
/// - `transaction_uid`, `calling_ae_title`, `called_ae_title`, `address`, `received_at`: the request;
/// - `state`: `received` (its objects are being looked at), `checked` (it is to be answered), `answered`, `unanswered`;
/// - `objects`: how many it lists; `failed`: how many of them are not committed, `null` while they are looked at;
/// - `not_committed`: those, at most 100: `sop_instance_uid` and `reason`, the Failure Reason (0008,1197) as four
///   hexadecimal digits;
/// - `kept_until`: until when the others are kept; `null`: for ever, or not yet;
/// - `attempts`, `next_at`, `ended_at`, `error`: how the answer went.
pub(super) async fn list(
    State(context): State<Context>,
    query: Result<Query<Newest>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(asked) = query?;
    let limit = asked.at_most(MOST_SHOWN);
    let shown = ask(move || {
        let rows = context.store.commitments(limit)?;
        let with_objects = |row: CommitmentRow| {
            let failed = row.failed.is_some_and(|n| n > 0);
            let objects = match failed {
                true => context.store.commitment_objects(row.id)?,
                false => Vec::new(),
            };
            Ok::<_, StoreError>(show(&row, &objects))
        };
        rows.into_iter().map(with_objects).collect::<Result<Vec<_>, _>>()
    });
    Ok(Json(json!({ "commitments": shown.await? })))
}

fn show(row: &CommitmentRow, objects: &[CommitmentObject]) -> Value {
    let failed = objects.iter().filter(|o| o.reason.is_some_and(|r| r != 0));
    let not_committed: Vec<_> = failed
        .take(OBJECTS)
        .map(|o| {
            json!({
                "sop_instance_uid": o.sop_instance_uid,
                "reason": o.reason.map(|r| format!("{r:04X}")),
            })
        })
        .collect();
    json!({
        "transaction_uid": row.transaction_uid,
        "calling_ae_title": row.calling.as_str(),
        "called_ae_title": row.stream.as_str(),
        "address": row.address,
        "received_at": row.received_at,
        "state": row.state.name(),
        "objects": row.objects,
        "failed": row.failed,
        "not_committed": not_committed,
        "kept_until": row.kept_until,
        "attempts": row.attempts,
        "next_at": row.next_at,
        "ended_at": row.ended_at,
        "error": row.error,
    })
}
