//! The job store: one SQLite file inside the process.
//!
//! Writes go through one thread that takes everything waiting, runs each request in a savepoint of its own, and
//! commits once: associations that store at the same moment share one fsync (group commit), and a request that
//! fails takes no other with it. An answer is given after the commit, so what was answered is on disk
//! (`synchronous = FULL`) — but for rows that say they can wait: a commit of nothing but those is not synced
//! (`NORMAL`), and the next one that is takes them along, since a WAL lasts in its order. Reads use connections of their own and never wait for a writer (WAL).

mod actions;
mod aftermath;
mod associations;
mod audit;
pub mod backup;
mod buckets;
mod commitment_asks;
mod commitments;
mod connection;
mod deletions;
mod deliveries;
mod delivery_rows;
mod due;
mod events;
mod gate;
mod holds;
mod inherited;
mod instances;
mod jobs;
mod journal;
mod listing;
mod measures;
mod outstanding;
mod pushes;
mod retention;
mod run_time;
mod taken_over;
mod verify;
mod versions;
mod waiting;
mod writer;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension};

pub use aftermath::LateRecord;
pub use associations::AssociationRow;
pub use audit::{
    Act, AuditDestination, AuditFilter, AuditRow, GivenOut, Receipt, ReceiptMark, TrailBreak, TrailChecked,
};
pub use buckets::{BucketRow, Removed};
pub use commitment_asks::{Asks, CommitmentHeard};
pub use commitments::{CommitmentObject, CommitmentRow, HeldObject, NewCommitment};
pub use deletions::Deletion;
pub use deliveries::{AttemptEnd, InstanceAnswer, NewDelivery};
pub use due::{Due, DueBy};
pub use events::EventRow;
pub use gate::{ResultUid, UidsTaken};
pub use inherited::InheritedRow;
pub use instances::{InstanceRow, NewInstance, NumberedRow, Placed};
pub use jobs::{JobFilter, Latecomers, NewJob, Occupancy};
pub use listing::{JobDetails, ListedJob};
pub use measures::{MeasuredRow, MeasuresFilter, MeasuresPlace};
pub use outstanding::DeliveryCount;
pub use pushes::{NewPush, PushRow, Pushed};
pub use retention::Removable;
pub use taken_over::FinishedJob;
pub use verify::{KeptJob, KeptObject, StoreReader};
pub use versions::Versions;
pub use waiting::Waiting;
pub use writer::{Pending, When};

/// Why the store did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// SQLite said no: disk, format, constraint.
    #[error("the job store: {0}")]
    Sqlite(Arc<rusqlite::Error>),
    /// What is in the file is not what was written there.
    #[error(
        "the job store is damaged ({0}): stop the node and put a backup of store/magickbox.sqlite in its place; \
         what was received is still below streams/"
    )]
    Damaged(Arc<rusqlite::Error>),
    /// The store was made by a newer version of this program.
    #[error(
        "the job store {path} has schema {found}, this version knows up to {known}: \
         start the newer version again, or restore a backup"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its schema version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A row does not allow what was asked, by its own state.
    #[error("the job store: {0}")]
    State(String),
    /// The objects of a set could not be synced before it was to be queued: it is open still.
    #[error("sync the objects of a set: {0}")]
    Sync(#[source] Arc<std::io::Error>),
    /// The writer is gone: the node is stopping.
    #[error("the job store is closed")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Self::Damaged(Arc::new(error)),
            _ => Self::Sqlite(Arc::new(error)),
        }
    }
}

/// Result of a store operation.
pub type Result<T> = std::result::Result<T, StoreError>;

/// The open store; cheap to clone.
#[derive(Clone)]
pub struct Store {
    writer: writer::Writer,
    associations: journal::Journal,
    readers: Arc<Readers>,
    node_id: Arc<str>,
    /// Where deliveries go, for the events that tell of them.
    destinations: audit::AuditDestinations,
    unheard: audit::Unheard,
    meter: run_time::Meter,
    /// What the next change is told as.
    act: Option<Act>,
}

/// Idle connections for reading. There are never more than readers at one moment.
struct Readers {
    path: std::path::PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Store {
    /// Opens the store, makes or migrates it, and starts its writer.
    ///
    /// # Errors
    /// [`StoreError::Newer`] for a store of a newer version; anything SQLite says.
    pub fn open(path: &Path) -> Result<Self> {
        let mut connection = connection::open(path)?;
        connection::migrate(&mut connection, path)?;
        let node_id = node_id(&connection)?;
        let meter = run_time::Meter::open(&connection)?;
        let writer = writer::Writer::start(connection)?;
        Ok(Self {
            associations: journal::Journal::start(writer.clone())?,
            writer,
            readers: Arc::new(Readers {
                path: path.to_owned(),
                idle: Mutex::default(),
            }),
            node_id: node_id.into(),
            destinations: audit::AuditDestinations::default(),
            unheard: audit::Unheard::default(),
            meter,
            act: None,
        })
    }

    /// Whether there is a store that has anything in it.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] for a file that is no store; anything SQLite says.
    pub fn is_there(path: &Path) -> Result<bool> {
        if !path.exists() {
            return Ok(false);
        }
        let schema: i64 =
            connection::open_read_only(path)?.pragma_query_value(None, "user_version", |row| row.get(0))?;
        Ok(schema > 0)
    }

    /// This node's identity: made with the store, the label of its containers.
    #[must_use]
    pub fn node_id(&self) -> &str {
        &self.node_id
    }

    /// Runs a request on the writer; wait for it with [`Pending::wait`] or `.await`.
    pub fn write<T: Send + 'static>(
        &self,
        request: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        let act = self.act.clone();
        self.writer.submit(When::Synced, move |db| {
            let answer = request(db)?;
            act.map_or(Ok(()), |act| act.tell(db))?;
            Ok(answer)
        })
    }

    /// Says how destinations are reached, once, before anything is delivered.
    pub fn know_destinations(&self, all: HashMap<String, AuditDestination>) {
        // A second time would be a node that is started twice.
        let _ = self.destinations.set(all);
    }

    /// Makes lazy requests that were submitted before commit at once.
    pub fn hurry(&self) -> Pending<()> {
        self.writer.submit(When::Unsynced, |_| Ok(()))
    }

    /// Reads, at the state of the last commit.
    ///
    /// # Errors
    /// Whatever the request or SQLite says.
    pub fn read<T>(&self, request: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = lock(&self.readers.idle).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connection::open_read_only(&self.readers.path)?,
        };
        let answer = request(&connection);
        lock(&self.readers.idle).push(connection);
        answer
    }

    /// Finishes what was submitted and closes the file.
    pub fn close(&self) {
        self.associations.close();
        // The connection that writes is the last: only then what is in the WAL goes into the file.
        lock(&self.readers.idle).clear();
        self.writer.close();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while a connection is taken out leaves the list as it was.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn node_id(connection: &Connection) -> Result<String> {
    let found = connection
        .query_row("SELECT value FROM node WHERE key = 'id'", [], |row| row.get(0))
        .optional()?;
    if let Some(id) = found {
        return Ok(id);
    }
    let id = uuid::Uuid::new_v4().simple().to_string();
    connection.execute("INSERT INTO node (key, value) VALUES ('id', ?1)", [&id])?;
    Ok(id)
}

#[cfg(test)]
mod tests;
