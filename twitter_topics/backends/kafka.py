"""Topics of the broker, through kafka-python."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from twitter_topics.errors import RetryableError

if TYPE_CHECKING:
    from twitter_topics.settings import KafkaSettings

_PATIENCE_SECONDS = 60
_DAY_MS = 24 * 60 * 60 * 1000


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """Address and security of the brokers, as kafka-python's clients take them."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers.split(","),
        "security_protocol": settings.security_protocol,
    }
    if settings.sasl_mechanism:
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password.get_secret_value(),
        }
    return options


def topics(settings: KafkaSettings) -> dict[str, dict[str, Any]]:
    """Every topic of the project, in the form of KafkaAdminClient.create_topics."""
    week = {"retention.ms": str(7 * _DAY_MS)}
    month = {"retention.ms": str(30 * _DAY_MS)}

    def topic(configs: dict[str, str]) -> dict[str, Any]:
        return {
            "num_partitions": settings.partitions,
            "replication_factor": settings.replication,
            # the broker's clock: retention counts from the arrival, also for a replay of old tweets
            "configs": configs | {"message.timestamp.type": "LogAppendTime"},
        }

    return {
        settings.raw_topic: topic(week),
        settings.processed_topic: topic(week),
        settings.dead_letter_topic: topic(month),  # people look at these when they find the time
        settings.deletion_topic: topic({"cleanup.policy": "compact"}),  # the newest notice of each tweet, for ever
        settings.gap_topic: topic({"cleanup.policy": "compact"}),
    }


def ensure_topics(settings: KafkaSettings) -> list[str]:
    """Create the topics that are missing and wait until each has its leaders. Returns those that were made.

    An existing topic is left as it is: its partitions order the data that it already holds.

    Raises:
        RetryableError: the broker does not take it for a minute.
    """
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return _create_missing(settings)
        except KafkaError as error:
            if time.monotonic() > until:
                raise RetryableError(f"Kafka at {settings.bootstrap_servers} makes no topics: {error}") from error
            time.sleep(0.5)


def _create_missing(settings: KafkaSettings) -> list[str]:
    admin = KafkaAdminClient(**client_options(settings), client_id="twitter-topics-setup", request_timeout_ms=10_000)
    try:
        there = set(admin.list_topics())
        missing = {name: topic for name, topic in topics(settings).items() if name not in there}
        if missing:
            try:
                admin.create_topics(missing, timeout_ms=10_000, wait_for_metadata=True)
            except TopicAlreadyExistsError:  # somebody else made one of them meanwhile: look again for the others
                return _create_missing(settings)
        return sorted(missing)
    finally:
        admin.close()
