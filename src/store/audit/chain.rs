//! The chain of hashes.

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::super::{Result, StoreError, StoreReader};
use crate::model::AuditEvent;

/// SHA-256.
pub(super) type Hash = [u8; 32];

/// What the first row goes on from.
const NOTHING: Hash = [0; 32];

/// What was looked at, and where the chain breaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrailChecked {
    /// Rows there are.
    pub rows: u64,
    /// The last row that was taken out for its age; 0: none was.
    pub pruned: i64,
    /// The last row, and its hash as hexadecimal digits: who keeps it elsewhere sees later whether the end was cut off.
    pub last: Option<(i64, String)>,
    /// The first place at which the trail is not as it was written.
    pub breaks: Option<TrailBreak>,
}

/// What is wrong with a row of the trail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrailBreak {
    /// It, or the hash before it, was changed.
    #[error("event {0} of the audit trail, or the one before it, is not as it was written")]
    Changed(i64),
    /// Rows before it are missing.
    #[error("events before number {0} of the audit trail are missing")]
    Missing(i64),
    /// The last rows are missing.
    #[error("the audit trail ends with event {found}, but event {given} was written")]
    CutOff {
        /// The last row.
        found: i64,
        /// The number that was given last.
        given: i64,
    },
    /// An event that somebody wrote down is another one, or gone.
    #[error("event {0} of the audit trail is not the one whose hash was written down")]
    Another(i64),
    /// Rows were taken out, and the event that says so is not there.
    #[error("events up to number {0} of the audit trail were taken out by somebody else than the node")]
    Pruned(i64),
    /// What keeps rows from being changed is not there, or is another.
    #[error("the trigger {0}, which keeps the audit trail append-only, was removed or changed")]
    Unprotected(&'static str),
}

pub(super) fn append(db: &Connection, event: &AuditEvent) -> Result<()> {
    let json = serde_json::to_string(event)
        .map_err(|error| StoreError::State(format!("write an event of the audit trail: {error}")))?;
    let id: i64 = db
        .prepare_cached("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), 0) + 1")?
        .query_row([], |row| row.get(0))?;
    let before = last_hash(db)?;
    db.prepare_cached(
        "INSERT INTO audit (id, at, kind, job, study, event, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        id,
        event.at.0,
        event.kind.word(),
        event.job(),
        event.study.as_ref().map(|study| &study.uid),
        json,
        link(&before, id, event.at.0, &json),
    ])?;
    Ok(())
}

fn last_hash(db: &Connection) -> Result<Hash> {
    let last = db
        .prepare_cached("SELECT hash FROM audit ORDER BY id DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    match last {
        Some(hash) => Ok(hash),
        None => Ok(pruned(db)?.1),
    }
}

/// The last row that was taken out, and its hash.
pub(super) fn pruned(db: &Connection) -> Result<(i64, Hash)> {
    let found = db
        .prepare_cached("SELECT upto, hash FROM audit_pruned ORDER BY upto DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.unwrap_or((0, NOTHING)))
}

fn link(before: &Hash, id: i64, at: i64, json: &str) -> Hash {
    let mut hash = Sha256::new_with_prefix(before);
    hash.update(id.to_be_bytes());
    hash.update(at.to_be_bytes());
    hash.update(json.as_bytes());
    hash.finalize().into()
}

/// Walks the whole chain; `written` is an event that somebody wrote down earlier, with its hash.
fn check(db: &Connection, written: Option<(i64, &str)>) -> Result<TrailChecked> {
    // All as it is at one moment: a node may write meanwhile.
    let _snapshot = db.unchecked_transaction()?;
    let (pruned, mut before) = pruned(db)?;
    let mut checked = TrailChecked {
        pruned,
        ..TrailChecked::default()
    };
    let mut last = pruned;
    let mut said = pruned == 0;
    // One that is pruned by now cannot be told any more, unless it was the last to go.
    let mut another = written.filter(|(id, hash)| *id > pruned || *id == pruned && hex(&before) != *hash);
    let mut statement = db.prepare("SELECT id, at, kind, job, study, event, hash FROM audit ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, at, json): (i64, i64, String) = (row.get(0)?, row.get(1)?, row.get(5)?);
        let hash: Vec<u8> = row.get(6)?;
        let columns: (String, Option<String>, Option<String>) = (row.get(2)?, row.get(3)?, row.get(4)?);
        let wrong = if id != last + 1 {
            Some(TrailBreak::Missing(id))
        } else if hash != link(&before, id, at, &json) || !says(&json, &columns) {
            Some(TrailBreak::Changed(id))
        } else {
            None
        };
        checked.breaks = checked.breaks.or(wrong);
        checked.rows += 1;
        // A hash of another length is a changed row: it is told already.
        before = hash.try_into().unwrap_or(NOTHING);
        last = id;
        said |= columns.0 == "trail_pruned" && json.contains(&super::pruning::upto(pruned));
        another = another.filter(|(written, hash)| *written != id || hex(&before) != *hash);
        checked.last = Some((id, hex(&before)));
    }
    let given: i64 = db
        .query_row(
            "SELECT seq FROM sqlite_sequence WHERE name = 'audit'",
            [],
            |row| row.get(0),
        )
        .optional()?
        .unwrap_or(0);
    if checked.breaks.is_none() && given != last {
        checked.breaks = Some(TrailBreak::CutOff { found: last, given });
    }
    if checked.breaks.is_none() && !said {
        checked.breaks = Some(TrailBreak::Pruned(pruned));
    }
    if checked.breaks.is_none() {
        checked.breaks = another.map(|(id, _)| TrailBreak::Another(id));
    }
    if checked.breaks.is_none() {
        checked.breaks = unprotected(db)?;
    }
    Ok(checked)
}

/// Where the triggers are defined; SQLite keeps their text.
const DEFINED: &str = include_str!("../migrations/0012_audit.sql");

const TRIGGERS: [&str; 5] = [
    "audit_is_not_changed",
    "audit_is_not_replaced",
    "audit_is_not_deleted",
    "audit_pruned_is_not_changed",
    "audit_pruned_is_not_deleted",
];

/// The first trigger that is not as it was made: somebody had something in mind.
fn unprotected(db: &Connection) -> Result<Option<TrailBreak>> {
    for trigger in TRIGGERS {
        let text: Option<String> = db
            .prepare_cached("SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = ?1")?
            .query_row([trigger], |row| row.get(0))
            .optional()?;
        if !text.is_some_and(|text| DEFINED.contains(&text)) {
            return Ok(Some(TrailBreak::Unprotected(trigger)));
        }
    }
    Ok(None)
}

/// Whether the columns that a row is found by are what its event says.
fn says(json: &str, (kind, job, study): &(String, Option<String>, Option<String>)) -> bool {
    serde_json::from_str::<AuditEvent>(json).is_ok_and(|event| {
        event.kind.word() == kind
            && event.job() == job.as_deref()
            && event.study.as_ref().map(|s| &s.uid) == study.as_ref()
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl StoreReader {
    /// Walks the whole audit trail, and looks whether an event is in it whose number and hash were written down.
    ///
    /// # Errors
    /// What SQLite says; where the chain breaks is no error.
    pub fn check_audit_trail(&self, written: Option<(i64, &str)>) -> Result<TrailChecked> {
        check(self.connection(), written)
    }
}
