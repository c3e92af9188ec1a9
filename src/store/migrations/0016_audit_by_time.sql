-- Events are found by when they happened, of all kinds and of one; the latter index takes the place of the one by number.
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_kind_and_time ON audit (kind, at);
DROP INDEX audit_by_kind;
