-- Exact counts of closed hours, recounted from the archive. One row per hour, topic and model.
CREATE TABLE IF NOT EXISTS {catalog}.tweets.topic_hour (
    hour          timestamp NOT NULL,
    topic_id      int       NOT NULL,
    topic_label   string    NOT NULL,
    model_version string    NOT NULL,
    tweets        bigint    NOT NULL,
    mass          double    NOT NULL,
    sentiment     double    NOT NULL,
    scored        bigint
)
USING iceberg
PARTITIONED BY (days(hour))
TBLPROPERTIES ('format-version' = '2', 'write.metadata.delete-after-commit.enabled' = 'true')
