-- Hours whose shares do not add up to one per tweet: every returned row is a failure.
-- View: recounted (topic_hour for the range).
SELECT
    hour,
    sum(tweets) AS tweets,
    sum(mass) AS mass
FROM recounted
GROUP BY hour
HAVING abs(sum(mass) - sum(tweets)) > 0.0001 * sum(tweets)
