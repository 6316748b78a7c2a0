"""What all tiers share: a clean environment, and the real services for the tests that need them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from twitter_topics.settings import Settings

PREFIXES = (
    *("KAFKA_", "S3_", "ARCHIVE_", "ELASTICSEARCH_", "INFLUXDB_", "PRODUCER_", "TWITTER_"),
    *("X_", "BLUESKY_", "MASTODON_", "SPEED_", "TOPICS_", "SPARK_", "LOCAL_"),
)


@dataclass(frozen=True)
class Services:
    """Addresses of real services as settings variables."""

    variables: dict[str, str]

    def settings(self, **overrides: str) -> Settings:
        """Settings that lead to the services; every test chooses its own names of index, bucket, database and topic."""
        return Settings(self.variables | overrides)


@pytest.fixture(scope="session", autouse=True)
def clean_environment() -> None:
    """No setting of the caller's reaches a test; `.env` of the checkout neither, because settings are given by name."""
    for name in [name for name in os.environ if name.startswith(PREFIXES)]:
        del os.environ[name]


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Kafka, Elasticsearch, S3 and InfluxDB, started on free ports for this session and stopped after it."""
    from twitter_topics.testing.services import running_services

    with running_services(Path(tmp_path_factory.mktemp("services"))) as variables:
        yield Services(variables)
