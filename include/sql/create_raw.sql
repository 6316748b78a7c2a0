-- Every record of the topic raw_tweets, including rejects, with the bytes as received.
-- A reject has a reason and no tweet_id; its event_time is the time at which Kafka received it.
-- event is 'post' or 'edit'; NULL in rows from before there was this column. An edit is a row of its own.
-- A deleted tweet keeps its tweet_id and event_time; its payload is NULL and its reason is 'deleted: ...'.
CREATE TABLE IF NOT EXISTS {catalog}.tweets.raw (
    tweet_id        string,
    event_time      timestamp NOT NULL,
    source          string,
    payload         binary,
    reject_reason   string,
    kafka_partition int       NOT NULL,
    kafka_offset    bigint    NOT NULL,
    kafka_timestamp timestamp NOT NULL,
    event           string
)
USING iceberg
PARTITIONED BY (hours(event_time))
TBLPROPERTIES (
    'format-version' = '2',
    'write.distribution-mode' = 'none',
    'write.parquet.compression-codec' = 'zstd',
    'write.metadata.delete-after-commit.enabled' = 'true',
    'write.metadata.previous-versions-max' = '20'
)
