"""The user of Grafana's data source may read everything that the dashboards show, and nothing more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.contract.dashboards import seeds as s
from tests.contract.dashboards.panels import ZOOMS, found
from tests.own_influxdb import own_influxdb
from tools.dashboards.files import read_dashboards
from tools.dashboards.grafana.expand import targets
from twitter_topics.backends.influx import InfluxStore
from twitter_topics.counts.panes import HourPoint, Series, Sums
from twitter_topics.counts.view import CountsView
from twitter_topics.errors import ConfigurationError
from twitter_topics.settings import Settings

pytestmark = pytest.mark.contract

ADMIN, READER = ("admin", "admin-42"), ("reader", "reader-42")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[str]:
    """The address of an InfluxDB that knows an administrator, and authenticates everyone."""
    with own_influxdb(tmp_path, http="  auth-enabled = true") as url:
        create = f"CREATE USER {ADMIN[0]} WITH PASSWORD '{ADMIN[1]}' WITH ALL PRIVILEGES"
        requests.post(f"{url}/query", data={"q": create}, timeout=10).raise_for_status()
        yield url


def store(url: str, user: tuple[str, str]) -> InfluxStore:
    variables = {"INFLUXDB_URL": url, "INFLUXDB_USERNAME": user[0], "INFLUXDB_PASSWORD": user[1]}
    return InfluxStore(Settings(variables).influx)


def test_a_reader_sees_every_panel_and_changes_nothing(guarded: str) -> None:
    admin, reader = store(guarded, ADMIN), store(guarded, READER)
    admin.ensure_database()
    admin.execute(f"CREATE USER {READER[0]} WITH PASSWORD '{READER[1]}'")
    admin.execute(f'GRANT READ ON "twitter_topics" TO {READER[0]}')
    view = CountsView(
        Settings({"INFLUXDB_URL": guarded, "INFLUXDB_USERNAME": ADMIN[0], "INFLUXDB_PASSWORD": ADMIN[1]}).influx
    )
    end = s.DAY + 9 * s.HOUR
    view.write_hours([HourPoint(end, Series(1, "storm", s.M1), Sums(3, 3, 3_000_000, 900_000))], 1)
    view.close()

    boards = read_dashboards()
    for board in boards.values():
        for target in targets(board):
            if target.query["datasource"]["type"] == "influxdb":
                found(reader, target, ZOOMS["6 h"])
    first = next(targets(boards["topics"]))
    shown = found(reader, first, ZOOMS["6 h"])
    assert [row["tweets"] for points in shown.values() for row in points.values()] == [3]
    (variable,) = boards["topics"]["templating"]["list"]
    assert [row["value"] for _, row in reader.rows(variable["query"])] == ["storm"]
    with pytest.raises(ConfigurationError, match="rejected INFLUXDB_USERNAME"):
        reader.write(["a b=1i 1"])
    with pytest.raises(ConfigurationError, match="rejected INFLUXDB_USERNAME"):
        reader.execute("DROP MEASUREMENT topic_last_hour")
    admin.close()
    reader.close()
