//! Jobs of another node that are over: history here.

use rusqlite::params;

use super::audit::taken_over;
use super::events::record;
use super::{NewInstance, Pending, Store};
use crate::model::{AeTitle, AuditStudy, JobId, JobState, Timestamp, Verdict};

/// A job that another node has done.
#[derive(Clone, Debug)]
pub struct FinishedJob {
    /// Its name here.
    pub id: JobId,
    /// The AE title it was sent to.
    pub stream: AeTitle,
    /// The calling AE title, as that node wrote it down.
    pub calling_ae_title: String,
    /// The peer's address, as that node wrote it down.
    pub caller_address: String,
    /// Study Instance UID, if an object tells it.
    pub study_instance_uid: String,
    /// When it was received.
    pub received_at: Timestamp,
    /// When it was over.
    pub ended_at: Timestamp,
    /// How it ended.
    pub verdict: Verdict,
    /// Objects it received and that are in its `INPUT`.
    pub instances: Vec<NewInstance>,
    /// Where it was, as a URI.
    pub from: String,
    /// Its studies, with the numbers of the objects that are here now.
    pub studies: Vec<AuditStudy>,
}

impl Store {
    /// Adds a job that is over to the history, all of it or nothing, the events of the audit trail among it.
    ///
    /// # Errors
    /// What SQLite says, a job of that name among it.
    pub fn add_finished(&self, job: FinishedJob) -> Pending<()> {
        self.write(move |db| {
            let id = job.id.as_str();
            let bytes: u64 = job.instances.iter().map(|i| i.bytes).sum();
            let seq: i64 = db.query_row(
                "INSERT INTO jobs (id, stream, group_key, state, outcome, reason, calling_ae_title, caller_address, \
                 study_instance_uid, instances, bytes, received_at, last_object_at, queued_at, ended_at, attempt) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?12, ?13, 1) RETURNING seq",
                params![
                    id,
                    job.stream.as_str(),
                    // A group of its own: what arrives of that study is no continuation of it.
                    format!("taken over {id}"),
                    JobState::Done.name(),
                    job.verdict.outcome.word(),
                    job.verdict.reason,
                    job.calling_ae_title,
                    job.caller_address,
                    job.study_instance_uid,
                    job.instances.len(),
                    bytes,
                    job.received_at.0,
                    job.ended_at.0,
                ],
                |row| row.get(0),
            )?;
            let mut insert = db.prepare_cached(
                "INSERT INTO instances (job, sop_instance_uid, sop_class_uid, transfer_syntax_uid, \
                 series_instance_uid, file, bytes, hash, received_at) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)",
            )?;
            for instance in &job.instances {
                insert.execute(params![
                    seq,
                    instance.sop_instance_uid.as_str(),
                    instance.sop_class_uid.as_str(),
                    instance.transfer_syntax_uid.as_str(),
                    instance.series_instance_uid.as_str(),
                    instance.file,
                    instance.bytes,
                    instance.hash.as_slice(),
                    job.received_at.0
                ])?;
            }
            taken_over(db, seq, &job)?;
            record(db, &job.id, "taken over", "from the data directory of an earlier node")
        })
    }
}
