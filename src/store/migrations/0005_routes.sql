-- A delivery knows where it goes, whatever becomes of the rule that caused it, and what has to fail before.
-- One destination may have several deliveries of a job now: at other addresses, of other files. So that no row is without
-- what it refers to, both tables are made anew.
CREATE TABLE deliveries_new (
    id          INTEGER PRIMARY KEY,
    job         INTEGER NOT NULL REFERENCES jobs (seq),
    destination TEXT NOT NULL,
    address     TEXT,               -- host:port; NULL: where the [[remote_ae]] of that AE title is
    calling     TEXT,               -- the AE title to call it with, where there is an address
    after       INTEGER REFERENCES deliveries_new (id), -- the delivery that has to fail before this one goes
    route       TEXT NOT NULL,
    direction   TEXT NOT NULL,
    state       TEXT NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    next_at     INTEGER,
    error       TEXT
) STRICT;
INSERT INTO deliveries_new (id, job, destination, route, direction, state, attempts, created_at, next_at, error)
    SELECT id, job, destination, route, direction, state, attempts, created_at, next_at, error FROM deliveries;
CREATE TABLE delivery_instances_new (
    delivery            INTEGER NOT NULL REFERENCES deliveries_new (id),
    file                TEXT NOT NULL,
    sop_class_uid       TEXT NOT NULL,
    sop_instance_uid    TEXT NOT NULL,
    transfer_syntax_uid TEXT NOT NULL,
    state               TEXT NOT NULL,
    status              INTEGER,
    PRIMARY KEY (delivery, file)
) STRICT;
INSERT INTO delivery_instances_new (delivery, file, sop_class_uid, sop_instance_uid, transfer_syntax_uid, state, status)
    SELECT delivery, file, sop_class_uid, sop_instance_uid, transfer_syntax_uid, state, status FROM delivery_instances
    ORDER BY rowid;
DROP TABLE delivery_instances;
DROP TABLE deliveries;
ALTER TABLE deliveries_new RENAME TO deliveries;
ALTER TABLE delivery_instances_new RENAME TO delivery_instances;
CREATE INDEX deliveries_by_state ON deliveries (state, next_at);
CREATE INDEX deliveries_by_job ON deliveries (job);
CREATE INDEX deliveries_after ON deliveries (after) WHERE after IS NOT NULL;
