-- Where the archive ends: the next offset of each Kafka partition.
SELECT kafka_partition, max(kafka_offset) + 1 AS next_offset
FROM {catalog}.tweets.raw
GROUP BY kafka_partition
