-- What was measured of each model, kept for good. One row per measurement, slice, role, language and metric.
CREATE TABLE IF NOT EXISTS {catalog}.tweets.model_metrics (
    measurement string    NOT NULL COMMENT 'an evaluated version, or a version and a day; its rows are replaced together',
    version     string    NOT NULL COMMENT 'the model that the number is about',
    measured_at timestamp NOT NULL,
    slice       string    NOT NULL COMMENT 'held_out, later or day',
    slice_start timestamp NOT NULL COMMENT 'event time of the tweets, inclusive',
    slice_end   timestamp NOT NULL COMMENT 'exclusive',
    role        string    NOT NULL COMMENT 'challenger or champion',
    language    string    NOT NULL COMMENT 'code, or all',
    metric      string    NOT NULL,
    value       double    NOT NULL,
    low         double    COMMENT '95 % interval, or NULL',
    high        double,
    documents   bigint    NOT NULL COMMENT 'tweets that the number rests on'
)
USING iceberg
PARTITIONED BY (months(measured_at))
TBLPROPERTIES ('format-version' = '2', 'write.metadata.delete-after-commit.enabled' = 'true')
