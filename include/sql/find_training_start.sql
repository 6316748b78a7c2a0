-- Event time, in Unix microseconds, at which the newest :share of the tweets in a range begins.
SELECT percentile_approx(unix_micros(event_time), 1 - :share, 10000) AS start_us
FROM {source}
WHERE reject_reason IS NULL AND tweet_id IS NOT NULL AND event_time >= :start AND event_time < :end
