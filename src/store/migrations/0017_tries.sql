-- How long the node has run, over all its runs, in milliseconds: what no clock that is set can change.
CREATE TABLE run_time (
    ran INTEGER NOT NULL
) STRICT;
INSERT INTO run_time (ran) VALUES (0);
ALTER TABLE deliveries DROP COLUMN tried_at;
ALTER TABLE deliveries ADD COLUMN tried INTEGER; -- by run time: the first attempt since it was created, or sent again by an operator
ALTER TABLE deliveries ADD COLUMN faults INTEGER NOT NULL DEFAULT 0; -- attempts in a row that ended by a wrong answer
ALTER TABLE commitment_asks ADD COLUMN asked INTEGER; -- by run time; NULL: before the delivery was sent again, it counts no more
UPDATE commitment_asks SET asked = 0
    WHERE asked_at >= (SELECT created_at FROM deliveries d WHERE d.id = delivery);
ALTER TABLE commitments ADD COLUMN received INTEGER NOT NULL DEFAULT 0; -- by run time
-- The files of a job stay until both are over: committed_until, and this by run time.
ALTER TABLE jobs ADD COLUMN committed_run INTEGER;
