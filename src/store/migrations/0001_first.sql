-- Times are milliseconds since 1970 (UTC). Jobs are never deleted: the history is the proof.
CREATE TABLE node (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE buckets (
    ae_title     TEXT PRIMARY KEY,
    image        TEXT NOT NULL,      -- the reference it was installed by
    digest       TEXT NOT NULL,      -- sha256:… of the image; what runs
    info         TEXT NOT NULL,      -- info.json as the image carries it
    has_plugin   INTEGER NOT NULL,
    installed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE jobs (
    seq                INTEGER PRIMARY KEY,
    id                 TEXT NOT NULL UNIQUE,
    stream             TEXT NOT NULL,
    state              TEXT NOT NULL,
    group_key          TEXT NOT NULL,
    outcome            TEXT,
    reason             TEXT,
    calling_ae_title   TEXT NOT NULL,
    caller_address     TEXT NOT NULL,
    study_instance_uid TEXT NOT NULL,
    instances          INTEGER NOT NULL DEFAULT 0,
    bytes              INTEGER NOT NULL DEFAULT 0,
    received_at        INTEGER NOT NULL,
    last_object_at     INTEGER NOT NULL,
    queued_at          INTEGER,
    started_at         INTEGER,
    run_ended_at       INTEGER,
    ended_at           INTEGER,
    attempt            INTEGER NOT NULL DEFAULT 0,
    image              TEXT,               -- sha256:… of the last attempt
    bucket             TEXT,               -- JSON: the bucket as it was at the last attempt
    exit_status        INTEGER,
    oom_killed         INTEGER NOT NULL DEFAULT 0,
    timed_out          INTEGER NOT NULL DEFAULT 0,
    peak_memory        INTEGER,
    arguments          TEXT
) STRICT;
CREATE INDEX jobs_by_state ON jobs (state, queued_at, seq);
CREATE INDEX jobs_by_stream ON jobs (stream, state, seq);
CREATE INDEX jobs_by_group ON jobs (stream, group_key, seq);
-- One open set per stream and study (or series, or patient).
CREATE UNIQUE INDEX jobs_receiving ON jobs (stream, group_key) WHERE state = 'receiving';

CREATE TABLE instances (
    id                  INTEGER PRIMARY KEY,
    job                 INTEGER NOT NULL REFERENCES jobs (seq),
    sop_instance_uid    TEXT NOT NULL,
    sop_class_uid       TEXT NOT NULL,
    transfer_syntax_uid TEXT NOT NULL,
    series_instance_uid TEXT NOT NULL,
    file                TEXT NOT NULL,  -- name below the job's directory
    bytes               INTEGER NOT NULL,
    hash                BLOB NOT NULL,  -- BLAKE3 of the data set as received
    received_at         INTEGER NOT NULL,
    current             INTEGER NOT NULL DEFAULT 1,
    UNIQUE (job, sop_instance_uid, hash)
) STRICT;

CREATE TABLE measures (
    job    INTEGER NOT NULL REFERENCES jobs (seq),
    file   TEXT NOT NULL,
    source TEXT NOT NULL,
    name   TEXT NOT NULL,
    value  TEXT NOT NULL,  -- JSON
    unit   TEXT
) STRICT;
CREATE INDEX measures_by_job ON measures (job);

CREATE TABLE deliveries (
    id          INTEGER PRIMARY KEY,
    job         INTEGER NOT NULL REFERENCES jobs (seq),
    destination TEXT NOT NULL,
    route       TEXT NOT NULL,
    direction   TEXT NOT NULL,
    state       TEXT NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    next_at     INTEGER,
    error       TEXT,
    UNIQUE (job, destination, direction)
) STRICT;
CREATE INDEX deliveries_by_state ON deliveries (state, next_at);

CREATE TABLE delivery_instances (
    delivery            INTEGER NOT NULL REFERENCES deliveries (id),
    file                TEXT NOT NULL,
    sop_class_uid       TEXT NOT NULL,
    sop_instance_uid    TEXT NOT NULL,
    transfer_syntax_uid TEXT NOT NULL,
    state               TEXT NOT NULL,
    status              INTEGER,
    PRIMARY KEY (delivery, file)
) STRICT;

CREATE TABLE events (
    id   INTEGER PRIMARY KEY,
    job  INTEGER NOT NULL REFERENCES jobs (seq),
    at   INTEGER NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_job ON events (job, id);
