-- Deletions that were missed, or rows that were changed by mistake: every returned row is a failure.
-- Views: removals (tweet_id, reason: what the notices ask for), changes (the rows to be written), archived_before and
-- archived_after (the raw table at the two snapshots), snapshots_between (snapshots committed in between).
SELECT
    'a deleted tweet is still readable' AS fault,
    after.tweet_id,
    after.kafka_partition,
    after.kafka_offset
FROM archived_after AS after
INNER JOIN archived_before AS before
    ON after.kafka_partition = before.kafka_partition AND after.kafka_offset = before.kafka_offset
INNER JOIN removals ON after.tweet_id = removals.tweet_id
WHERE removals.reason IS NOT NULL AND (after.reject_reason IS NULL OR after.payload IS NOT NULL)

UNION ALL

SELECT
    'a row is missing or was not changed as planned' AS fault,
    changes.tweet_id,
    changes.kafka_partition,
    changes.kafka_offset
FROM changes
LEFT JOIN archived_after AS after
    ON changes.kafka_partition = after.kafka_partition AND changes.kafka_offset = after.kafka_offset
WHERE
    after.kafka_partition IS NULL
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
