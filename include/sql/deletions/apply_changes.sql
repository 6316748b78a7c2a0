-- Replaces payload and reject_reason of single rows. View: changes (kafka_partition, kafka_offset, payload,
-- reject_reason), with event times between :first and :last (Unix microseconds).
MERGE INTO {catalog}.tweets.raw AS archived
USING changes
ON
    archived.kafka_partition = changes.kafka_partition
    AND archived.kafka_offset = changes.kafka_offset
    AND archived.event_time >= timestamp_micros(:first)
    AND archived.event_time <= timestamp_micros(:last)
WHEN MATCHED THEN UPDATE SET
    archived.payload = changes.payload,
    archived.reject_reason = changes.reject_reason
