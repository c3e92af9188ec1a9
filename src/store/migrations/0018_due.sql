-- Very many deliveries may wait: which of them go next is found by destination, in their order, and by their time.
CREATE INDEX deliveries_open ON deliveries (destination, address, id, next_at, job)
    WHERE state IN ('waiting', 'sending', 'retrying');
CREATE INDEX deliveries_due ON deliveries (destination, address, next_at)
    WHERE state IN ('waiting', 'sending', 'retrying');
CREATE INDEX jobs_delivering ON jobs (study_instance_uid) WHERE state = 'delivering';
-- Attempts before an operator sent it again, or released it or its job: the waits between attempts begin anew.
ALTER TABLE deliveries ADD COLUMN attempts_before INTEGER NOT NULL DEFAULT 0;
