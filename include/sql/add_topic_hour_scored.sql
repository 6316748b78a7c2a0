-- For tables from before create_topic_hour.sql had this column; NULL means that every tweet of the row was scored.
ALTER TABLE {catalog}.tweets.topic_hour ADD COLUMN scored bigint
