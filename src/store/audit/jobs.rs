//! Events about jobs: one for each study of the job, with whose it is.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::super::Result;
use super::append;
use crate::model::{
    AeTitle, AuditAction, AuditEvent, AuditKind, AuditParticipant, AuditStudy, AuditThing, JobId,
};

/// Writes an event; one about a job and of a kind that is about studies becomes one for each study of the job.
pub(in crate::store) fn about_job(db: &Connection, event: &AuditEvent) -> Result<()> {
    let job = event
        .job()
        .filter(|_| event.study.is_none() && event.kind.names_a_patient());
    let Some(job) = job else {
        return append(db, event);
    };
    let studies = studies(db, job)?;
    if studies.is_empty() {
        return append(db, event);
    }
    for study in studies {
        append(db, &event.clone().of_study(study))?;
    }
    Ok(())
}

/// Writes an event about objects that are not told apart by study: one for each study, the first with the numbers.
pub(super) fn of_studies(
    db: &Connection,
    event: &AuditEvent,
    studies: Vec<AuditStudy>,
    sop_classes: BTreeMap<String, u64>,
) -> Result<()> {
    let several = studies.len() > 1;
    let mut numbers = Some(sop_classes);
    for study in studies {
        let counted = numbers.take();
        let text = match (&event.text, several, counted.is_some()) {
            (text, false, _) => text.clone(),
            (None, true, true) => Some(SEVERAL.to_owned()),
            (Some(text), true, true) => Some(format!("{text}; {SEVERAL}")),
            (None, true, false) => Some(COUNTED.to_owned()),
            (Some(text), true, false) => Some(format!("{text}; {COUNTED}")),
        };
        let event = AuditEvent {
            text,
            ..event.clone()
        };
        let sop_classes = counted.unwrap_or_default();
        append(db, &event.of_study(AuditStudy { sop_classes, ..study }))?;
    }
    Ok(())
}

/// Of a job with several studies.
const SEVERAL: &str = "the numbers are those of all studies of the job";
const COUNTED: &str = "counted with the event before it";

/// The studies of a job: as they were received, or as the job that it was made from had them.
pub(super) fn studies(db: &Connection, job: &str) -> Result<Vec<AuditStudy>> {
    let found: Option<(i64, String, Option<String>)> = db
        .prepare_cached("SELECT seq, study_instance_uid, made_from FROM jobs WHERE id = ?1")?
        .query_row([job], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((mut seq, study, mut from)) = found else {
        return Ok(Vec::new());
    };
    loop {
        let rows = known(db, seq)?;
        if !rows.is_empty() {
            return Ok(rows);
        }
        // A job is made from an earlier one: this ends.
        let earlier: Option<(i64, Option<String>)> = match &from {
            None => None,
            Some(id) => db
                .prepare_cached("SELECT seq, made_from FROM jobs WHERE id = ?1 AND seq < ?2")?
                .query_row(params![id, seq], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?,
        };
        match earlier {
            Some(earlier) => (seq, from) = earlier,
            None => break,
        }
    }
    let alone = AuditStudy {
        uid: study,
        ..AuditStudy::default()
    };
    Ok(vec![alone])
}

fn known(db: &Connection, seq: i64) -> Result<Vec<AuditStudy>> {
    let mut statement =
        db.prepare_cached("SELECT study, patient_id FROM audit_studies WHERE job = ?1 ORDER BY study")?;
    let rows = statement.query_map([seq], |row| {
        Ok(AuditStudy {
            uid: row.get(0)?,
            patient_id: row.get(1)?,
            ..AuditStudy::default()
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The node gives up the files of a job.
pub(in crate::store) fn deleted(db: &Connection, job: &JobId, why: &str) -> Result<()> {
    let event = AuditEvent::new(
        AuditKind::Deleted,
        AuditAction::Delete,
        vec![AuditParticipant::node(None).asking()],
    );
    about_job(db, &event.about(AuditThing::Job, job.as_str()).saying(why))
}

/// The files of all jobs of a bucket go with it.
pub(in crate::store) fn all_of_bucket(db: &Connection, stream: &AeTitle) -> Result<()> {
    let mut statement = db.prepare(
        "SELECT id FROM jobs WHERE stream = ?1 AND removed_at IS NULL AND removed_why IS NULL ORDER BY seq",
    )?;
    let rows = statement.query_map([stream.as_str()], |row| row.get::<_, String>(0))?;
    let jobs: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
    for job in jobs {
        deleted(db, &super::super::jobs::job_id(&job)?, "its bucket was removed")?;
    }
    Ok(())
}
