-- For tables from before create_raw.sql had this column.
ALTER TABLE {catalog}.tweets.raw ADD COLUMN event string
