-- A bucket's versions, and whether the site wants it.
ALTER TABLE buckets ADD COLUMN enabled  INTEGER; -- what the site said: 1 or 0; NULL: what info.json says
ALTER TABLE buckets ADD COLUMN previous TEXT;    -- JSON: the version before, kept for rollback
ALTER TABLE buckets ADD COLUMN next     TEXT;    -- JSON: the version that waits for runs under way to end
