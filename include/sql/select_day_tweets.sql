-- A share of the readable tweets in a range of event time, the same ones each time; {source} is the raw table at one
-- snapshot.
SELECT tweet_id, kafka_partition, kafka_offset, payload
FROM {source}
WHERE
    reject_reason IS NULL AND tweet_id IS NOT NULL AND event_time >= :start AND event_time < :end
    AND pmod(xxhash64(tweet_id), 1000000) < 1000000 * :share
