-- Associations that were refused, ended badly, or had objects refused: one row each, the newest ten thousand.
CREATE TABLE associations (
    id               INTEGER PRIMARY KEY,
    at               INTEGER NOT NULL,
    number           INTEGER NOT NULL,           -- unique within a run of the node
    address          TEXT NOT NULL,
    calling_ae_title TEXT,                       -- as the peer gave it, printable
    called_ae_title  TEXT,
    tls              INTEGER NOT NULL,
    outcome          TEXT NOT NULL,
    reason           TEXT NOT NULL,
    stored           INTEGER NOT NULL,
    refused          INTEGER NOT NULL,
    refusal_status   INTEGER,                    -- of the last refusal
    refusal_reason   TEXT,
    bytes            INTEGER NOT NULL,
    unrecorded       INTEGER NOT NULL DEFAULT 0  -- rows that came too fast to be written, shortly before
) STRICT;
