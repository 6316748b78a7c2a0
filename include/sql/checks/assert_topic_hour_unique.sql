-- Keys that stand in topic_hour more than once, or hours counted by more than one model: rows are failures.
-- View: recounted (topic_hour of the range).
SELECT
    hour,
    topic_id,
    count(*) AS rows_of_key,
    count(DISTINCT model_version) AS models
FROM recounted
GROUP BY hour, topic_id
HAVING count(*) > 1
