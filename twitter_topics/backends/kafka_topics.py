"""Kafka topics: the project's own, and the id of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafka import KafkaAdminClient
from kafka.errors import (
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from twitter_topics.backends.kafka import connected, failure
from twitter_topics.backends.retrying import RetryPolicy

if TYPE_CHECKING:
    from twitter_topics.settings import KafkaSettings

_RETRIES = RetryPolicy(deadline_s=60, longest_s=0.8)
_DAY_MS = 24 * 60 * 60 * 1000
_TIMEOUT_MS = 10_000


def topics(settings: KafkaSettings) -> dict[str, dict[str, Any]]:
    """Return every topic of the project, as KafkaAdminClient.create_topics takes them."""
    week = {"retention.ms": str(7 * _DAY_MS)}
    month = {"retention.ms": str(30 * _DAY_MS)}

    def topic(configs: dict[str, str]) -> dict[str, Any]:
        return {
            "num_partitions": settings.partitions,
            "replication_factor": settings.replication,
            # the broker's clock: retention starts at arrival, even for a replay of old tweets
            "configs": configs | {"message.timestamp.type": "LogAppendTime"},
        }

    return {
        settings.raw_topic: topic(week),
        settings.processed_topic: topic(week),
        settings.dead_letter_topic: topic(month),  # kept longer, because people inspect these
        settings.deletion_topic: topic({"cleanup.policy": "compact"}),  # the newest notice of each tweet, forever
        settings.gap_topic: topic({"cleanup.policy": "compact"}),
    }


def ensure_topics(settings: KafkaSettings) -> list[str]:
    """Create missing topics, wait for their leaders and return the names of the new ones.

    An existing topic is not changed: the order of its data depends on its partitions.

    Raises:
        RetryableError: the broker did not accept the request for a minute.
        ConfigurationError: it rejects the user.
    """

    def create() -> list[str]:
        try:
            return _create_missing(settings)
        except KafkaError as error:
            raise failure(settings, "did not create the topics", error) from error

    return _RETRIES.run(create)


def topic_id(settings: KafkaSettings, topic: str) -> str:
    """Kafka's own id of a topic: another one when the topic is created again. Empty when there is no such topic.

    Raises:
        RetryableError: no broker answers.
        ConfigurationError: they reject the user.
    """
    try:
        admin = _admin(settings)
        try:
            described = admin.describe_topics([topic])
        finally:
            admin.close()
        if any(one["error_code"] == TopicAuthorizationFailedError.errno for one in described):
            raise TopicAuthorizationFailedError(topic)
    except UnknownTopicOrPartitionError:
        return ""
    except KafkaError as error:
        raise failure(settings, f"did not describe {topic}", error) from error
    return next((str(one["topic_id"]) for one in described if not one["error_code"]), "")


def _create_missing(settings: KafkaSettings) -> list[str]:
    admin = _admin(settings)
    try:
        there = set(admin.list_topics())
        missing = {name: topic for name, topic in topics(settings).items() if name not in there}
        if missing:
            try:
                admin.create_topics(missing, timeout_ms=_TIMEOUT_MS, wait_for_metadata=True)
            except TopicAlreadyExistsError:  # created by someone else in the meantime: look again for the others
                return _create_missing(settings)
        return sorted(missing)
    finally:
        admin.close()


def _admin(settings: KafkaSettings) -> KafkaAdminClient:
    return connected(
        KafkaAdminClient,
        settings,
        client_id="twitter-topics-admin",
        request_timeout_ms=_TIMEOUT_MS,
        bootstrap_timeout_ms=_TIMEOUT_MS,
    )
