"""The user of Grafana's data source may read everything that the dashboards show, and nothing more."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.contract.dashboards import seeds as s
from tests.contract.dashboards.panels import ZOOMS, found
from tests.waiting import until
from tools.dashboards.files import read_dashboards
from tools.dashboards.grafana.expand import targets
from twitter_topics.backends.influx import InfluxStore
from twitter_topics.counts.panes import HourPoint, Series, Sums
from twitter_topics.counts.view import CountsView
from twitter_topics.errors import ConfigurationError
from twitter_topics.local.servers import find_influxd
from twitter_topics.settings import Settings
from twitter_topics.testing.broker import free_ports

pytestmark = pytest.mark.contract

ADMIN, READER = ("admin", "admin-42"), ("reader", "reader-42")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[str]:
    """The address of an InfluxDB that knows an administrator, and authenticates everyone."""
    port, other = free_ports()
    config = tmp_path / "influxdb.conf"
    config.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{other}"\n'
        f'[meta]\n  dir = "{tmp_path}/meta"\n[data]\n  dir = "{tmp_path}/data"\n  wal-dir = "{tmp_path}/wal"\n'
        "[monitor]\n  store-enabled = false\n"
        f'[http]\n  bind-address = "127.0.0.1:{port}"\n  auth-enabled = true\n  log-enabled = false\n'
    )
    url = f"http://127.0.0.1:{port}"
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen([find_influxd(), "run", "-config", str(config)], stdout=log, stderr=log)
    try:
        until(lambda: _answers(url), 30, "InfluxDB answers", pause=0.05)
        create = f"CREATE USER {ADMIN[0]} WITH PASSWORD '{ADMIN[1]}' WITH ALL PRIVILEGES"
        requests.post(f"{url}/query", data={"q": create}, timeout=10).raise_for_status()
        yield url
    finally:
        server.terminate()
        server.wait(timeout=30)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/ping", timeout=2).ok
    except requests.RequestException:
        return False


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
