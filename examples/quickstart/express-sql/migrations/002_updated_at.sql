ALTER TABLE notes ADD COLUMN updated_at timestamptz;
