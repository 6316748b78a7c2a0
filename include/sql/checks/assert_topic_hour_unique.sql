-- Keys that occur more than once in topic_hour, or hours counted with several models: every returned row is a failure.
-- View: recounted (topic_hour for the range).
SELECT
    hour,
    topic_id,
    count(*) AS rows_of_key,
    count(DISTINCT model_version) AS models
FROM recounted
GROUP BY hour, topic_id
HAVING count(*) > 1
