"""Spark's Kafka source and sink with the project's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from twitter_topics.settings import KafkaSettings


def kafka_options(settings: KafkaSettings) -> dict[str, str]:
    """Return address and security of the brokers as Spark options."""
    options = {
        "kafka.bootstrap.servers": settings.bootstrap_servers,
        "kafka.security.protocol": settings.security_protocol,
    }
    if settings.sasl_mechanism:
        module = "plain.PlainLoginModule" if settings.sasl_mechanism == "PLAIN" else "scram.ScramLoginModule"
        user, password = settings.sasl_username, settings.sasl_password.get_secret_value()
        options |= {
            "kafka.sasl.mechanism": settings.sasl_mechanism,
            "kafka.sasl.jaas.config": f"org.apache.kafka.common.security.{module} required "
            f'username="{_quoted(user)}" password="{_quoted(password)}";',
        }
    return options


def read_stream(
    spark: SparkSession, settings: KafkaSettings, topic: str, *, max_records: int, starting: str
) -> DataFrame:
    """Return a topic as a stream. Lost data stops the query: nothing is skipped silently.

    Args:
        max_records: maximum records per batch, spread proportionally over the partitions.
        starting: `earliest` or Spark's JSON of offsets; ignored once there is a checkpoint.
    """
    return (
        spark.readStream.format("kafka")
        .options(**kafka_options(settings))
        .option("subscribe", topic)
        .option("startingOffsets", starting)
        .option("failOnDataLoss", "true")
        .option("maxOffsetsPerTrigger", max_records)
        .option("fetchOffset.numRetries", 10)
        .option("fetchOffset.retryIntervalMs", 500)
        .load()
    )


def write(rows: DataFrame, settings: KafkaSettings) -> None:
    """Append rows (topic, key, value) and wait for the acknowledgement of all replicas.

    A send never expires: if one batch expired and a later one of its partition succeeded, the retry would bring the
    missing rows below the aggregator's high-water mark.
    """
    options = kafka_options(settings) | {
        "kafka.acks": "all",
        "kafka.enable.idempotence": "true",
        "kafka.compression.type": "lz4",
        "kafka.delivery.timeout.ms": str(2**31 - 1),
    }
    rows.write.format("kafka").options(**options).save()


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
