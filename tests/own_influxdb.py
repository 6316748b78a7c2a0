"""An InfluxDB of a test's own, with options that the shared one does not have."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.waiting import until
from twitter_topics.local.servers import find_influxd
from twitter_topics.testing.broker import free_ports


@contextmanager
def own_influxdb(folder: Path, *, data: str = "", http: str = "") -> Iterator[str]:
    """Yield the address of a server; `data` and `http` are lines for these sections of its configuration."""
    port, other = free_ports()
    config = folder / "influxdb.conf"
    config.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{other}"\n'
        f'[meta]\n  dir = "{folder}/meta"\n'
        f'[data]\n  dir = "{folder}/data"\n  wal-dir = "{folder}/wal"\n{data}\n'
        "[monitor]\n  store-enabled = false\n"
        f'[http]\n  bind-address = "127.0.0.1:{port}"\n  log-enabled = false\n{http}\n'
    )
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([find_influxd(), "run", "-config", str(config)], stdout=log, stderr=log)
    try:
        until(lambda: _answers(url), 30, "InfluxDB answers", pause=0.05)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=30)
        shutil.rmtree(folder / "data", ignore_errors=True)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/ping", timeout=2).ok
    except requests.RequestException:
        return False
