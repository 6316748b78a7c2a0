-- Hours whose tweets in topic_hour differ from the owner records in the archive: every returned row is a failure.
-- The owner of a tweet is its first record in a UTC day, as in the search index. Views: archived_days (the archive's days
-- that contain the range, at the recount's snapshot), recounted (topic_hour for the range).
WITH owners AS (
    SELECT
        date_trunc('HOUR', event_time) AS hour,
        row_number() OVER (
            PARTITION BY tweet_id, date_trunc('DAY', event_time)
            ORDER BY kafka_partition, kafka_offset
        ) AS place
    FROM archived_days
    WHERE reject_reason IS NULL
),

archived AS (
    SELECT hour, count(*) AS tweets
    FROM owners
    WHERE place = 1 AND hour >= :start AND hour < :end
    GROUP BY hour
),

counted AS (
    SELECT hour, sum(tweets) AS tweets
    FROM recounted
    GROUP BY hour
)

SELECT
    coalesce(archived.hour, counted.hour) AS hour,
    archived.tweets AS archived_tweets,
    counted.tweets AS counted_tweets
FROM archived
FULL OUTER JOIN counted ON archived.hour = counted.hour
WHERE NOT archived.tweets <=> counted.tweets
