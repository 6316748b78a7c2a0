"""Spark's Kafka source and sink with the settings of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from twitter_topics.settings import KafkaSettings


def kafka_options(settings: KafkaSettings) -> dict[str, str]:
    """Address and security of the brokers."""
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
    """A stream of a topic. Lost data stops the query: nothing is skipped in silence.

    Args:
        max_records: at most so many records a batch, spread over the partitions in proportion.
        starting: `earliest` or Spark's JSON of offsets; only used while there is no checkpoint.
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

    A send never expires by itself: were one batch given up while a later one of its partition gets through, the
    repetition would bring the missing rows behind the aggregator's mark.
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
