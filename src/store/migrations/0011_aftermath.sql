-- What is left to do for a job once something happened to its deliveries.
ALTER TABLE jobs ADD COLUMN outgoing    INTEGER NOT NULL DEFAULT 0; -- 1: there may be copies of its results in outgoing/
ALTER TABLE jobs ADD COLUMN copies_by   TEXT;                       -- the program that made the first of them
ALTER TABLE jobs ADD COLUMN record_late INTEGER NOT NULL DEFAULT 0; -- changes of its deliveries that record.json does not have
UPDATE jobs SET outgoing = 1 WHERE removed_at IS NULL AND seq IN
    (SELECT d.job FROM deliveries d JOIN delivery_instances i ON i.delivery = d.id WHERE i.copied = 1);
UPDATE jobs SET record_late = 1 WHERE removed_at IS NULL AND seq IN
    (SELECT job FROM deliveries WHERE state IN ('committing', 'committed', 'uncommitted'));
CREATE INDEX jobs_with_outgoing ON jobs (seq) WHERE outgoing = 1;
CREATE INDEX jobs_record_late ON jobs (seq) WHERE record_late > 0;
