//! Opening the file, its settings, its migrations.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::{Result, StoreError};

/// Every schema there was, oldest first. A file of migrations is never changed once released.
pub(super) const MIGRATIONS: [&str; 18] = [
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_associations.sql"),
    include_str!("migrations/0003_ways_out.sql"),
    include_str!("migrations/0004_versions.sql"),
    include_str!("migrations/0005_routes.sql"),
    include_str!("migrations/0006_pushes.sql"),
    include_str!("migrations/0007_gate.sql"),
    include_str!("migrations/0008_measures.sql"),
    include_str!("migrations/0009_deliveries.sql"),
    include_str!("migrations/0010_commitments.sql"),
    include_str!("migrations/0011_aftermath.sql"),
    include_str!("migrations/0012_audit.sql"),
    include_str!("migrations/0013_tried.sql"),
    include_str!("migrations/0014_copies.sql"),
    include_str!("migrations/0015_audit_sent.sql"),
    include_str!("migrations/0016_audit_by_time.sql"),
    include_str!("migrations/0017_tries.sql"),
    include_str!("migrations/0018_due.sql"),
];

/// The newest schema.
#[expect(
    clippy::cast_possible_wrap,
    clippy::as_conversions,
    reason = "there are few files of migrations"
)]
pub(super) const KNOWN: i64 = MIGRATIONS.len() as i64;

/// How long a connection waits for another process that holds a lock (a backup, `sqlite3`).
const BUSY: Duration = Duration::from_secs(10);

pub(super) fn open(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    // Before anything is set: a newer one is left as it is.
    schema(&connection, path)?;
    settings(&connection)?;
    // FULL: a commit that was answered survives a power loss.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

pub(super) fn open_read_only(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn settings(connection: &Connection) -> Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "journal_mode", "WAL")?;
    Ok(())
}

/// The version of a store's schema, which has to be one that we know; 0 for a file without any.
pub(super) fn schema(connection: &Connection, path: &Path) -> Result<i64> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > KNOWN {
        return Err(StoreError::Newer {
            path: path.display().to_string(),
            found,
            known: KNOWN,
        });
    }
    Ok(found)
}

/// Whether a file can be read as it is.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<()> {
    let found = schema(connection, path)?;
    if found < KNOWN {
        return Err(StoreError::State(format!(
            "{} has schema {found}, this version reads {KNOWN}: start the node once, which brings it there",
            path.display()
        )));
    }
    Ok(())
}

pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<()> {
    let found = schema(connection, path)?;
    let done = usize::try_from(found).unwrap_or(0);
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        let step = connection.transaction()?;
        step.execute_batch(migration)?;
        step.pragma_update(None, "user_version", i64::try_from(index + 1).unwrap_or(i64::MAX))?;
        step.commit()?;
    }
    Ok(())
}
