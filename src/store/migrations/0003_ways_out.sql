-- Ways out of every state, priorities, and what was removed.
ALTER TABLE jobs ADD COLUMN priority      TEXT NOT NULL DEFAULT 'normal'; -- urgent, normal, off-peak
ALTER TABLE jobs ADD COLUMN held_from     TEXT;    -- the state that a held job goes on from
ALTER TABLE jobs ADD COLUMN superseded_by TEXT;    -- the job that has its objects, and more or again
ALTER TABLE jobs ADD COLUMN made_from     TEXT;    -- the job whose objects it began with
ALTER TABLE jobs ADD COLUMN stopped_why   TEXT;    -- why the node stopped its container, but for the time limit
ALTER TABLE jobs ADD COLUMN removed_at    INTEGER; -- when its files were removed; the row is its history
ALTER TABLE jobs ADD COLUMN removed_why   TEXT;
ALTER TABLE jobs ADD COLUMN committed_at  INTEGER; -- storage commitment was promised for objects of it: its files stay
CREATE INDEX jobs_started ON jobs (stream, started_at);
CREATE INDEX jobs_queue ON jobs (stream, priority, queued_at, seq) WHERE state = 'queued';
-- What retention may look at, oldest end first.
CREATE INDEX jobs_kept ON jobs (ended_at) WHERE removed_at IS NULL AND ended_at IS NOT NULL;
