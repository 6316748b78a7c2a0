-- Number of readable tweets in a range of event time.
SELECT count(*) AS tweets
FROM {source}
WHERE reject_reason IS NULL AND tweet_id IS NOT NULL AND event_time >= :start AND event_time < :end
