-- What a run of the deletions left undone or should not have done: rows are failures.
-- Views: orders (tweet_id, reason: what the notices ask), changes (the rows that were to be written), archived_before and
-- archived_after (the raw table at the two snapshots), snapshots_between (those committed in between).
SELECT
    'a tweet that was taken back is still readable' AS fault,
    after.tweet_id,
    after.kafka_partition,
    after.kafka_offset
FROM archived_after AS after
INNER JOIN archived_before AS before
    ON after.kafka_partition = before.kafka_partition AND after.kafka_offset = before.kafka_offset
INNER JOIN orders ON after.tweet_id = orders.tweet_id
WHERE orders.reason IS NOT NULL AND (after.reject_reason IS NULL OR after.payload IS NOT NULL)

UNION ALL

SELECT
    'a row is gone or is not what it was to become' AS fault,
    changes.tweet_id,
    changes.kafka_partition,
    changes.kafka_offset
FROM changes
LEFT JOIN archived_after AS after
    ON changes.kafka_partition = after.kafka_partition AND changes.kafka_offset = after.kafka_offset
WHERE
    after.tweet_id IS NULL
    OR NOT after.payload <=> changes.payload
    OR NOT after.reject_reason <=> changes.reject_reason

UNION ALL

SELECT
    concat('snapshot ', snapshot_id, ' changed the number of rows') AS fault,
    NULL AS tweet_id,
    NULL AS kafka_partition,
    NULL AS kafka_offset
FROM snapshots_between
WHERE
    operation IN ('overwrite', 'delete')
    AND coalesce(summary['added-records'], '0') <> coalesce(summary['deleted-records'], '0')
