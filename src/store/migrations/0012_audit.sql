-- The audit trail. Rows are only ever added; each has the SHA-256 of the one before it in its own.
CREATE TABLE audit (
    id    INTEGER PRIMARY KEY AUTOINCREMENT, -- without gaps; never given twice
    at    INTEGER NOT NULL,
    kind  TEXT NOT NULL,
    job   TEXT,
    study TEXT,
    event TEXT NOT NULL,                     -- JSON; the columns before it are found by, and say nothing else
    hash  BLOB NOT NULL                      -- SHA-256 of the hash before, id, at and event
) STRICT;
CREATE INDEX audit_by_job ON audit (job) WHERE job IS NOT NULL;
CREATE INDEX audit_by_study ON audit (study) WHERE study IS NOT NULL;
CREATE INDEX audit_by_kind ON audit (kind, id);

-- Up to where rows were taken out for their age, and the hash that the first one left goes on from.
CREATE TABLE audit_pruned (
    upto INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
-- Taking the place of a row fires no trigger of its deletion.
CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
WHEN OLD.id > (SELECT coalesce(max(upto), 0) FROM audit_pruned)
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_pruned_is_not_changed BEFORE UPDATE ON audit_pruned
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_pruned_is_not_deleted BEFORE DELETE ON audit_pruned
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;

-- Whose a job's studies are: the profile asks for the patient's ID with what happens to them later.
CREATE TABLE audit_studies (
    job        INTEGER NOT NULL REFERENCES jobs (seq),
    study      TEXT NOT NULL,
    patient_id TEXT NOT NULL,
    PRIMARY KEY (job, study)
) STRICT, WITHOUT ROWID;

-- Associations under way that have objects in a job: what is left here at a start was never told.
CREATE TABLE audit_receiving (
    association INTEGER NOT NULL,
    job         INTEGER NOT NULL REFERENCES jobs (seq),
    PRIMARY KEY (association, job)
) STRICT, WITHOUT ROWID;
