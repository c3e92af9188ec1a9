-- The gate before results leave: what it decided, what it found, which UIDs results have.
ALTER TABLE deliveries ADD COLUMN gate       TEXT NOT NULL DEFAULT 'off';  -- strict, repair, off: as its route said
ALTER TABLE deliveries ADD COLUMN gate_state TEXT NOT NULL DEFAULT 'open'; -- open, passed, held, released
ALTER TABLE delivery_instances ADD COLUMN copied INTEGER NOT NULL DEFAULT 0; -- 1: a copy with the gate's repairs is sent
CREATE TABLE gate_findings (
    delivery  INTEGER NOT NULL REFERENCES deliveries (id),
    action    TEXT NOT NULL,    -- held, filled, noted, added
    attribute TEXT NOT NULL,
    result    TEXT,             -- values: a patient's; they go with the files of the job
    input     TEXT,
    why       TEXT NOT NULL,
    objects   INTEGER NOT NULL,
    file      TEXT
) STRICT;
CREATE INDEX gate_findings_by_delivery ON gate_findings (delivery);
-- Results that passed: who has which UID, and of which data set (XXH3-128) it is the name.
CREATE TABLE result_uids (
    sop_instance_uid    TEXT NOT NULL,
    job                 INTEGER NOT NULL REFERENCES jobs (seq),
    series_instance_uid TEXT NOT NULL,
    study_instance_uid  TEXT NOT NULL, -- also where the bucket left it out, and it was filled in
    hash                BLOB NOT NULL,
    PRIMARY KEY (sop_instance_uid, job)
) STRICT, WITHOUT ROWID;
CREATE INDEX result_uids_by_series ON result_uids (series_instance_uid);
-- Whether an object that was received has a UID: of a series they come one after another, so that its page is at hand.
CREATE INDEX instances_by_uid ON instances (sop_instance_uid);
CREATE INDEX instances_by_series ON instances (series_instance_uid);
