-- Why an object of a delivery waits or is refused, for people.
ALTER TABLE delivery_instances ADD COLUMN reason TEXT;
