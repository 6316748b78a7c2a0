-- Hours whose shares do not add up to one per tweet: rows are failures. View: recounted (topic_hour of the range).
SELECT
    hour,
    sum(tweets) AS tweets,
    sum(mass) AS mass
FROM recounted
GROUP BY hour
HAVING abs(sum(mass) - sum(tweets)) > 0.0001 * sum(tweets)
