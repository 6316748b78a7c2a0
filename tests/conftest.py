"""Shared by all tiers: a clean environment, and real services for the tests that need them."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.waiting import until
from twitter_topics.settings import Settings
from twitter_topics.settings.env_file import ENV_FILE_VARIABLE


def _isolate() -> None:
    """Hide the caller's settings from the tests: the environment's and those in `.env`. Runs when pytest loads
    this file, before it imports a test; processes started by a test inherit the result."""
    prefixes = tuple(str(section.model_config["env_prefix"]) for section in Settings.sections().values())
    for name in [name for name in os.environ if name.startswith(prefixes)]:
        del os.environ[name]
    for name in ("COLUMNS", "LINES"):  # of the caller's terminal; pytest-xdist's workers set them too
        os.environ.pop(name, None)
    os.environ[ENV_FILE_VARIABLE] = ""


_isolate()

# how long an example takes says more about what else the machine does
hypothesis.settings.register_profile(
    "twitter-topics", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("twitter-topics")

_HERE = Path(__file__).parent
_LONGEST_FIRST = ("e2e", "spark", "contract", "dags", "plugins", "unit")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Group the tests for pytest-xdist: tests that share one Spark session and its servers; those that share one
    Kafka, Elasticsearch, S3 and InfluxDB; those that share one Airflow; each other file by itself."""
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=lambda item: _LONGEST_FIRST.index(_tier(item)))


def pytest_collection_finish() -> None:
    """Keep what the imports made out of every later garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: list[str]) -> None:
    if node.config.option.dist == "loadgroup" and any("@" not in name for name in ids):
        pytest.exit(
            "this pytest-xdist ignores groups with this pytest: run make bootstrap-dev", pytest.ExitCode.USAGE_ERROR
        )


def _tier(item: pytest.Item) -> str:
    return item.path.relative_to(_HERE).parts[0]


def _group(item: pytest.Item) -> str:
    for fixture in ("spark", "services"):
        if fixture in getattr(item, "fixturenames", ()):
            return fixture
    shared = {"dags": "airflow", "plugins": "airflow"}
    return shared.get(_tier(item)) or str(item.path.relative_to(_HERE))


@dataclass(frozen=True)
class Services:
    """Addresses of real services as settings variables."""

    variables: dict[str, str]

    def settings(self, **overrides: str) -> Settings:
        """Settings for the services; every test chooses its own names of index, bucket, database and topic."""
        return Settings(self.variables | overrides)


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Kafka, Elasticsearch, S3 and InfluxDB, started on free ports for this session and stopped after it."""
    from twitter_topics.testing.services import running_services

    with running_services(Path(tmp_path_factory.mktemp("services"))) as variables:
        yield Services(variables)


@pytest.fixture(params=["UTC", "Asia/Tokyo"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run the test on a machine of this time zone."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.fixture(autouse=True)
def _kafka_clients_are_closed() -> Iterator[None]:
    """Fail a test that leaves a Kafka client open: it would reconnect for ever, during the tests that follow."""
    before = _kafka_threads()
    yield
    left = _kafka_threads() - before
    until(lambda: not any(thread.is_alive() for thread in left), what=f"the end of {left}")


def _kafka_threads() -> set[threading.Thread]:
    return {
        one for one in threading.enumerate() if one.name.startswith("kafka-io-") or one.name.endswith("-network-thread")
    }
