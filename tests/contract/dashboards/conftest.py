"""Stores with the seeds in them, filled once for all tests of the dashboards."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.contract.dashboards.publish import into_elasticsearch, into_influxdb
from twitter_topics.backends.influx import InfluxStore
from twitter_topics.search.store import SearchStore

if TYPE_CHECKING:
    from tests.conftest import Services


@pytest.fixture(scope="session")
def influx(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxStore]:
    """A database of its own."""
    database = f"dashboards{uuid.uuid4().hex[:8]}"
    settings = services.settings(INFLUXDB_DATABASE=database)
    store = InfluxStore(settings.influx)
    store.ensure_database()
    into_influxdb(settings, tmp_path_factory.mktemp("counts"))
    yield store
    store.execute(f"DROP DATABASE {database}")
    store.close()


@pytest.fixture(scope="session")
def documents(services: Services) -> Iterator[SearchStore]:
    """Indices of their own."""
    store = into_elasticsearch(services.settings(ELASTICSEARCH_INDEX_PREFIX=f"dashboards{uuid.uuid4().hex[:8]}"))
    yield store
    for name in store.daily_indices():
        store.delete_index(name)
