-- Whether the audit trail tells that an object is at the destination: each arrival is told once.
ALTER TABLE delivery_instances ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
UPDATE delivery_instances SET told = 1 WHERE state NOT IN ('waiting', 'refused')
    AND delivery IN (SELECT id FROM deliveries WHERE state NOT IN ('waiting', 'sending', 'retrying', 'standby'));

-- What callers began to change outside the store: an event that is left here at a start was never told.
CREATE TABLE audit_begun (
    id    INTEGER PRIMARY KEY,
    event TEXT NOT NULL
) STRICT;
