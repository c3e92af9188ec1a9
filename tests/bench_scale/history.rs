//! Rows by the million, and the directories of their jobs.
//!
//! Most jobs are done. Two of a hundred have failed, half a one waits in the queue of a stream whose bucket was removed,
//! and as many wait for a destination that is away: what a start must look at is little, what it must not is much.

use std::fs;
use std::path::Path;

use anyhow::Result;
use rusqlite::{Connection, params};

/// What was laid.
pub struct Laid {
    pub jobs: u32,
    pub instances: u32,
    /// Of every kind: steps, measures, deliveries and the objects in them.
    pub rows: u32,
    /// Of the store's file.
    pub bytes: u64,
    /// Some names of jobs, from all over the history.
    pub some: Vec<String>,
}

/// Lays a history into the store of a node that does not run.
///
/// # Errors
/// What SQLite or the disk says.
pub fn lay(data: &Path, jobs: u32, instances: u32) -> Result<Laid> {
    let file = data.join("store/magickbox.sqlite");
    let db = Connection::open(&file)?;
    // Nothing to lose: who is interrupted here begins anew.
    db.execute_batch(
        "PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; BEGIN",
    )?;
    db.execute(JOBS, params![jobs])?;
    let each = instances / jobs;
    let mut rows = 0;
    for (sql, more) in [(INSTANCES, each), (EVENTS, 8), (MEASURES, 6)] {
        rows += db.execute(sql, params![more])?;
    }
    rows -= (each * jobs) as usize;
    for sql in [DELIVERIES, DELIVERED] {
        rows += db.execute(sql, [])?;
    }
    db.execute_batch("COMMIT; PRAGMA journal_mode = WAL")?;
    let names: Vec<(String, String)> = db
        .prepare("SELECT stream, id FROM jobs ORDER BY seq")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (stream, id) in &names {
        fs::create_dir_all(data.join(format!("streams/bucket{stream}/jobs/{id}")))?;
    }
    let every = (names.len() / 50).max(1);
    Ok(Laid {
        jobs,
        instances: each * jobs,
        rows: u32::try_from(rows)?,
        bytes: fs::metadata(&file)?.len(),
        some: names.into_iter().step_by(every).map(|(_, id)| id).collect(),
    })
}

/// One job a minute until now: number 1 is the oldest.
const JOBS: &str = "\
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1),
at AS (SELECT n, unixepoch() * 1000 - (?1 - n + 60) * 60000 AS at,
    CASE n % 200 WHEN 7 THEN 'queued' WHEN 77 THEN 'delivering' WHEN 107 THEN 'failed' WHEN 177 THEN 'failed'
        ELSE 'done' END AS state FROM n)
INSERT INTO jobs (id, stream, state, group_key, outcome, reason, calling_ae_title, caller_address, study_instance_uid,
    received_at, last_object_at, queued_at, started_at, run_ended_at, ended_at, attempt, image, bucket, exit_status,
    peak_memory)
SELECT printf('20260101-000000-%08x', n), CASE state WHEN 'queued' THEN 'Gone' ELSE 'Count' END, state,
    '1.2.826.0.1.3680043.10.1.4.1.' || n,
    CASE state WHEN 'done' THEN 'success' WHEN 'failed' THEN 'failed' END,
    CASE state WHEN 'failed' THEN 'the image is not there any more' END,
    'SCANNER' || (n % 7), '10.0.0.' || (n % 7), '1.2.826.0.1.3680043.10.1.4.1.' || n,
    at, at + 5000, at + 20000,
    CASE state WHEN 'queued' THEN NULL ELSE at + 21000 END, CASE state WHEN 'queued' THEN NULL ELSE at + 50000 END,
    CASE WHEN state IN ('done', 'failed') THEN at + 55000 END, state != 'queued', 'sha256:' || hex(zeroblob(32)),
    printf('{\"image\":\"count:1\",\"info\":\"%.*c\"}', 1500, 'i'), 0, 50000000
FROM at";

const INSTANCES: &str = "\
WITH RECURSIVE i (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < ?1)
INSERT INTO instances (job, sop_instance_uid, sop_class_uid, transfer_syntax_uid, series_instance_uid, file, bytes,
    hash, received_at)
SELECT seq, group_key || '.1.' || i, '1.2.840.10008.5.1.4.1.1.4', '1.2.840.10008.1.2.1', group_key || '.1',
    group_key || '.1.' || i || printf('-%032x.dcm', seq * 1000000 + i), 524288,
    unhex(printf('%032x', seq * 1000000 + i)), received_at + i
FROM jobs CROSS JOIN i WHERE ?1 > 0";

const EVENTS: &str = "\
WITH RECURSIVE i (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < ?1)
INSERT INTO events (job, at, kind, text)
SELECT seq, received_at + i * 1000, 'ended', 'exit status 0, as it was to be expected of step ' || i
FROM jobs CROSS JOIN i";

const MEASURES: &str = "\
WITH RECURSIVE i (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < ?1)
INSERT INTO measures (job, file, source, name, value, unit)
SELECT seq, 'measures.json', 'bucket', 'volume ' || i, printf('%d.25', seq + i), 'ml'
FROM jobs CROSS JOIN i WHERE state != 'queued'";

/// Those of jobs that are under way wait for a day that these measurements do not see.
const DELIVERIES: &str = "\
INSERT INTO deliveries (job, destination, route, direction, state, attempts, created_at, next_at, error)
SELECT seq, 'PACS', 'results', 'output', iif(state = 'done', 'sent', 'retrying'), 1, received_at + 51000,
    iif(state = 'done', NULL, unixepoch() * 1000 + 86400000), iif(state = 'done', NULL, 'connection refused')
FROM jobs WHERE state IN ('done', 'delivering')";

const DELIVERED: &str = "\
WITH RECURSIVE i (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < 3)
INSERT INTO delivery_instances (delivery, file, sop_class_uid, sop_instance_uid, transfer_syntax_uid, state, status)
SELECT id, i || '.dcm', '1.2.840.10008.5.1.4.1.1.4', '1.2.826.0.1.3680043.10.1.4.9.' || id || '.' || i,
    '1.2.840.10008.1.2.1', iif(state = 'sent', 'sent', 'waiting'), iif(state = 'sent', 0, NULL)
FROM deliveries CROSS JOIN i";
