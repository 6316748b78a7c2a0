-- End of the archive: the next offset per Kafka partition.
SELECT kafka_partition, max(kafka_offset) + 1 AS next_offset
FROM {catalog}.tweets.raw
GROUP BY kafka_partition
