-- Very many deliveries may wait: which of them go next is found by destination, in their order, and by their time.
CREATE INDEX deliveries_open ON deliveries (destination, address, id, next_at, job)
    WHERE state IN ('waiting', 'sending', 'retrying');
CREATE INDEX deliveries_due ON deliveries (destination, address, next_at)
    WHERE state IN ('waiting', 'sending', 'retrying');
CREATE INDEX jobs_delivering ON jobs (study_instance_uid) WHERE state = 'delivering';
-- Attempts before an operator sent it again, or released it or its job: the waits between attempts begin anew.
ALTER TABLE deliveries ADD COLUMN attempts_before INTEGER NOT NULL DEFAULT 0;
-- What was promised before run time was counted has what is left of it by that too, and never more than the whole of it.
UPDATE jobs SET committed_run = (SELECT ran FROM run_time)
        + max(0, min(committed_until - CAST(strftime('%s', 'now') AS INTEGER) * 1000, committed_until - committed_at))
    WHERE removed_at IS NULL AND committed_until IS NOT NULL AND committed_at IS NOT NULL AND committed_run IS NULL;
