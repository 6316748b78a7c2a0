-- Replaces all rows of :measurement by those of the view measured, in one commit.
MERGE INTO {catalog}.tweets.model_metrics AS kept
USING measured
ON
    kept.measurement = measured.measurement
    AND kept.slice = measured.slice
    AND kept.role = measured.role
    AND kept.language = measured.language
    AND kept.metric = measured.metric
WHEN MATCHED THEN UPDATE SET *
WHEN NOT MATCHED THEN INSERT *
WHEN NOT MATCHED BY SOURCE AND kept.measurement = :measurement THEN DELETE
