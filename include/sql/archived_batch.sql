-- Newest batch of a streaming query (:query, its id) in the archive; NULL if there is none. Snapshots that were rolled
-- back are still in the table's metadata, but their rows are not in the archive.
-- Spark's write options are lower case. queryId and epochId are the names of Iceberg's own streaming sink
-- (org.apache.iceberg.spark.source.SparkWrite), which wrote the archive before.
SELECT max(CAST(coalesce(summary['spark.sql.streaming.epochid'], summary['spark.sql.streaming.epochId']) AS BIGINT))
    AS batch
FROM {catalog}.tweets.raw.snapshots
WHERE
    coalesce(summary['spark.sql.streaming.queryid'], summary['spark.sql.streaming.queryId']) = :query
    AND snapshot_id IN (SELECT snapshot_id FROM {catalog}.tweets.raw.history WHERE is_current_ancestor)
