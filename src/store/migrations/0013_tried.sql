-- Since when a delivery is tried: its time runs from there, not while it waits behind another or stands by.
ALTER TABLE deliveries ADD COLUMN tried_at INTEGER; -- the first attempt since it was created, or sent again by an operator
UPDATE deliveries SET tried_at = created_at WHERE attempts > 0 AND state IN ('sending', 'retrying');
