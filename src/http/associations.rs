//! `/api/v1/associations`: associations that were refused, ended badly, or had objects refused.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde_json::{Value, json};

use crate::store::AssociationRow;

use super::Context;
use super::api::{Newest, ask};
use super::problem::Problem;

/// Associations of one answer at most: all that are kept.
const MOST_SHOWN: u32 = 10_000;

/// `GET /api/v1/associations?limit=N` answers `{ "associations": [ … ] }`, newest first; `limit` is 100 if absent,
/// 10,000 at most. Associations that went well have no entry. An entry has
///
/// - `at`: when it ended; `association`: its number in that run of the node, as in the log;
/// - `address`, `calling_ae_title`, `called_ae_title`: who called whom; the titles as the peer gave them, `null` when it
///   never came to a request that could be read; `tls`;
/// - `outcome`: one word of [`AssociationOutcome`](crate::model::AssociationOutcome); `reason`: a sentence;
/// - `stored`, `refused`: numbers of objects; `bytes`: those of the data sets stored;
/// - `last_refusal`: `null`, or `status` (four hexadecimal digits) and `reason` of the last object refused;
/// - `unrecorded`: how many more ended likewise shortly before, faster than they could be written.
pub(super) async fn list(
    State(context): State<Context>,
    query: Result<Query<Newest>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(asked) = query?;
    let limit = asked.at_most(MOST_SHOWN);
    let rows = ask(move || context.store.associations(limit)).await?;
    let shown: Vec<_> = rows.iter().map(show).collect();
    Ok(Json(json!({ "associations": shown })))
}

fn show(row: &AssociationRow) -> Value {
    let last_refusal = row
        .last_refusal
        .as_ref()
        .map(|(status, reason)| json!({ "status": format!("{status:04X}"), "reason": reason }));
    json!({
        "at": row.at,
        "association": row.association,
        "address": row.address,
        "calling_ae_title": row.calling,
        "called_ae_title": row.called,
        "tls": row.tls,
        "outcome": row.outcome,
        "reason": row.reason,
        "stored": row.stored,
        "refused": row.refused,
        "last_refusal": last_refusal,
        "bytes": row.bytes,
        "unrecorded": row.unrecorded,
    })
}
