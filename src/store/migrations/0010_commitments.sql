-- Storage commitment (PS3.4 Annex J). What peers asked us for:
CREATE TABLE commitments (
    id               INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: an answer under way is of one request
    transaction_uid  TEXT NOT NULL,
    calling_ae_title TEXT NOT NULL,
    stream           TEXT NOT NULL,              -- the AE title that was called
    caller_address   TEXT NOT NULL,
    received_at      INTEGER NOT NULL,
    association      INTEGER NOT NULL,           -- over which it came, in that run of the node
    state            TEXT NOT NULL,              -- received, checked, answered, unanswered
    objects          INTEGER NOT NULL,
    failed           INTEGER,                    -- of those; NULL: not looked at yet
    kept_until       INTEGER,                    -- what is promised for the others; NULL: for ever, or not yet
    attempts         INTEGER NOT NULL DEFAULT 0, -- to answer
    next_at          INTEGER,
    ended_at         INTEGER,
    error            TEXT,
    UNIQUE (transaction_uid, calling_ae_title, stream)
) STRICT;
CREATE INDEX commitments_open ON commitments (id) WHERE ended_at IS NULL;
-- The objects of a request; once it is over, those alone that were not committed.
CREATE TABLE commitment_objects (
    commitment       INTEGER NOT NULL REFERENCES commitments (id),
    place            INTEGER NOT NULL,
    sop_class_uid    TEXT NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    reason           INTEGER,                    -- 0: committed, else the Failure Reason; NULL: not looked at yet
    PRIMARY KEY (commitment, place)
) STRICT, WITHOUT ROWID;
-- Until when the files of a job stay, of which objects are committed; NULL beside committed_at: for ever.
ALTER TABLE jobs ADD COLUMN committed_until INTEGER;
-- What we asked destinations for: a new Transaction UID each time, for one delivery.
CREATE TABLE commitment_asks (
    transaction_uid TEXT PRIMARY KEY,
    delivery        INTEGER NOT NULL REFERENCES deliveries (id),
    asked_at        INTEGER NOT NULL,
    taken           INTEGER NOT NULL DEFAULT 0, -- the destination said that it would answer
    answered_at     INTEGER
) STRICT;
CREATE INDEX commitment_asks_by_delivery ON commitment_asks (delivery);
-- 0: the destination keeps it; else its Failure Reason.
ALTER TABLE delivery_instances ADD COLUMN commitment INTEGER;
