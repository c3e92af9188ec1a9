-- What a bucket declares of its measures: whether a value is declared, and why it is not what was declared.
ALTER TABLE measures ADD COLUMN declared INTEGER NOT NULL DEFAULT 0;
ALTER TABLE measures ADD COLUMN problem TEXT;
-- The measures of a bucket and a period are read in the order in which its jobs came.
CREATE INDEX jobs_by_arrival ON jobs (stream, received_at, seq);
