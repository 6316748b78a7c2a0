-- Readable tweets in a range of event time; {source} is the raw table, or a part of it.
SELECT tweet_id, kafka_partition, kafka_offset, payload
FROM {source}
WHERE reject_reason IS NULL AND tweet_id IS NOT NULL AND event_time >= :start AND event_time < :end
