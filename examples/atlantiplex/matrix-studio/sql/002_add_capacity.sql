-- Additive with a default: an API of the version before goes on working while this one is rolled out.
ALTER TABLE show ADD COLUMN capacity integer NOT NULL DEFAULT 100 CHECK (capacity > 0);
