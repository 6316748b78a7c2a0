"""The user of the page Topics: it reads the local stack's InfluxDB, and changes nothing."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from twitter_topics.backends.influx import InfluxStore
from twitter_topics.errors import ConfigurationError
from twitter_topics.local.servers import make_influx_database
from twitter_topics.page.overview import RealSources

if TYPE_CHECKING:
    from tests.conftest import Services

pytestmark = pytest.mark.contract


def test_the_reader_reads_and_neither_writes_nor_drops(services: Services) -> None:
    settings = services.settings().influx
    reader = settings.for_reading()
    assert reader.username == "reader"
    with closing(InfluxStore(settings)) as admin, closing(InfluxStore(reader)) as store:
        admin.write(["reader_test value=1i 1000000000"])
        assert [row["value"] for _, row in store.rows("SELECT value FROM reader_test")] == [1]
        with pytest.raises(ConfigurationError, match="INFLUXDB_READ_USERNAME"):
            store.write(["reader_test value=2i 2000000000"])
        for change in ("DROP MEASUREMENT reader_test", "CREATE DATABASE other"):
            with pytest.raises(ConfigurationError, match="INFLUXDB_READ_USERNAME"):
                store.execute(change)
        assert [row["value"] for _, row in admin.rows("SELECT value FROM reader_test")] == [1]
        admin.execute("DROP MEASUREMENT reader_test")


def test_the_page_needs_no_other_user(services: Services) -> None:
    page = RealSources(services.settings(INFLUXDB_USERNAME="nobody", INFLUXDB_PASSWORD="nothing"))
    assert page.last_hour() is None


def test_the_users_are_made_again_at_every_start(services: Services) -> None:
    port = urlsplit(services.variables["INFLUXDB_URL"]).port
    assert port is not None
    settings = services.settings().influx
    make_influx_database(port, settings.database, services.variables)
    with closing(InfluxStore(settings.for_reading())) as store:
        assert [row["name"] for _, row in store.rows("SHOW DATABASES")] == [settings.database]
