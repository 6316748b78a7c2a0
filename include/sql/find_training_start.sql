-- The event time after which the newest :share of the tweets of a span lie.
SELECT percentile_approx(event_time, 1 - :share, 10000) AS start
FROM {source}
WHERE reject_reason IS NULL AND tweet_id IS NOT NULL AND event_time >= :start AND event_time < :end
