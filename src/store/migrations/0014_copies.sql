-- What a result was sent as, so that it is noticed where a copy that is made anew is another object under the same UID.
ALTER TABLE result_uids ADD COLUMN copy_hash BLOB; -- XXH3-128 of the data set of the copy that is sent
