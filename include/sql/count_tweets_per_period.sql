-- Readable tweets in a range of event time by periods of :seconds, the newest first; begins is in Unix seconds.
SELECT
    unix_seconds(event_time) DIV :seconds * :seconds AS begins,
    count(*) AS tweets
FROM {source}
WHERE reject_reason IS NULL AND tweet_id IS NOT NULL AND event_time >= :start AND event_time < :end
GROUP BY begins
ORDER BY begins DESC
