-- Sets that were pushed whole over HTTP.
CREATE TABLE pushes (
    job         INTEGER PRIMARY KEY REFERENCES jobs (seq),
    by          TEXT NOT NULL,    -- who that was for the node: a token's name, or an address
    sender      TEXT NOT NULL,    -- as the sender calls itself
    name        TEXT NOT NULL,    -- what the sender calls it
    description TEXT NOT NULL,
    others      INTEGER NOT NULL  -- files that are no objects
) STRICT;
-- Jobs whose files are on their way out.
CREATE INDEX jobs_going ON jobs (ended_at) WHERE removed_at IS NULL AND removed_why IS NOT NULL;
