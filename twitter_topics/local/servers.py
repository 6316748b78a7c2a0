"""The backing servers: their configuration files, topics, bucket and database."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import shutil
from string import Template
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from twitter_topics.backends.kafka_topics import ensure_topics
from twitter_topics.backends.retrying import RetryPolicy
from twitter_topics.backends.s3 import ensure_bucket, s3_client
from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.local.environment import INFLUXDB_READER
from twitter_topics.local.layout import INFLUXDB, RECIPES, Layout, write_private
from twitter_topics.local.ports import LOOPBACK, Ports

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from twitter_topics.settings import Settings

_RETRIES = RetryPolicy(deadline_s=60, first_s=0.3, longest_s=0.3)


def find_influxd() -> str:
    """Return the path of the InfluxDB 1.x server.

    Raises:
        ConfigurationError: it is not installed.
    """
    unpacked = INFLUXDB / "usr" / "bin" / "influxd"
    found = str(unpacked) if unpacked.exists() else shutil.which("influxd", path="/usr/bin:/usr/local/bin:/usr/sbin")
    if not found:
        raise ConfigurationError(
            "influxd is missing; run `make up`, which fetches it, or `sudo apt-get install influxdb`"
        )
    return found


def filled_recipes(layout: Layout, ports: Ports, known: Mapping[str, str], elasticsearch_heap: str) -> dict[Path, str]:
    """Return the recipes of deploy/local, filled in, by their places in the data folder of each server."""
    folders = {name: layout.data / name for name in ("kafka", "elasticsearch", "s3", "influxdb")}
    filled = {}

    def fill(recipe: str, target: Path, quote: Callable[[str], str] = quoted, **values: object) -> None:
        text = Template((RECIPES / recipe).read_text(encoding="utf-8"))
        filled[target] = text.substitute({name: quote(str(value)) for name, value in values.items()})

    fill(
        "kafka.properties",
        folders["kafka"] / "kafka.properties",
        java_property,
        data=folders["kafka"],
        port=ports["kafka"],
        controller_port=ports["kafka_controller"],
    )
    fill(
        "s3proxy.conf",
        folders["s3"] / "s3proxy.conf",
        java_property,
        data=folders["s3"],
        port=ports["s3"],
        access_key="local",
        secret_key=known["S3_SECRET_ACCESS_KEY"],
    )
    fill(
        "influxdb.conf",
        folders["influxdb"] / "influxdb.conf",
        data=folders["influxdb"],
        port=ports["influxdb"],
        rpc_port=ports["influxdb_rpc"],
    )
    conf = folders["elasticsearch"] / "conf"
    fill(
        "elasticsearch.yml",
        conf / "elasticsearch.yml",
        data=folders["elasticsearch"],
        port=ports["elasticsearch"],
        transport_port=ports["elasticsearch_transport"],
    )
    fill("elasticsearch.jvm.options", conf / "jvm.options.d" / "local.options", heap=elasticsearch_heap)
    return filled


def write_configuration(files: Mapping[Path, str]) -> None:
    """Write the filled recipes, closed to other users: one has a secret."""
    for file, text in files.items():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(file, text)


def fingerprint(files: Mapping[Path, str]) -> str:
    """Return a hash of the filled recipes."""
    return hashlib.sha256("\n".join(files.values()).encode()).hexdigest()


def quoted(value: str) -> str:
    """Escape a value for a double-quoted string in YAML and TOML."""
    return value.replace("\\", "\\\\").replace('"', '\\"')


def java_property(value: str) -> str:
    """Escape a value for java.util.Properties, which reads files as Latin-1."""
    units = memoryview(value.replace("\\", "\\\\").encode("utf-16")[2:]).cast("H")
    return "".join(chr(unit) if unit < 128 else f"\\u{unit:04x}" for unit in units)


def provision(settings: Settings, ports: Ports, known: Mapping[str, str], local_servers: frozenset[str]) -> None:
    """Create topics, bucket, user and database in the servers of this stack. Safe to repeat.

    Args:
        settings: with the stack's own addresses and credentials.

    Raises:
        RetryableError: a server with an open port rejects requests for a minute.
        ConfigurationError: InfluxDB holds data of another stack.
    """
    if "kafka" in local_servers:
        ensure_topics(settings.kafka)
    if "s3" in local_servers:
        _insist("S3", lambda: ensure_bucket(s3_client(settings.s3), settings.s3.bucket))
    if "influxdb" in local_servers:
        _insist("InfluxDB", lambda: make_influx_database(ports["influxdb"], settings.influx.database, known))


def _insist(server: str, act: Callable[[], None]) -> None:
    """Repeat `act` for a minute: a server opens its port before it accepts requests."""

    def attempt() -> None:
        try:
            act()
        except (OSError, http.client.HTTPException, RetryableError) as error:
            raise RetryableError(f"{server} does not accept requests: {error}") from error

    _RETRIES.run(attempt)


def make_influx_database(port: int, database: str, known: Mapping[str, str]) -> None:
    """Create the administrator, the database, and the user that may only read it."""
    password, reader = known["INFLUXDB_PASSWORD"], known["INFLUXDB_READ_PASSWORD"]
    # without users, InfluxDB allows only the creation of the first administrator, to anyone
    _influx_query(port, f"CREATE USER admin WITH PASSWORD {_influx_text(password)} WITH ALL PRIVILEGES", "")
    status, answer = _influx_query(
        port,
        f'CREATE DATABASE "{database}"; '
        f"CREATE USER {INFLUXDB_READER} WITH PASSWORD {_influx_text(reader)}; "
        f'GRANT READ ON "{database}" TO {INFLUXDB_READER}',
        password,
    )
    if status == http.client.UNAUTHORIZED:
        raise ConfigurationError(
            "InfluxDB has another administrator password than secrets.json; restore that file, or start from scratch "
            "with `make clean`"
        )
    if status != http.client.OK or b'"error"' in answer:
        raise RetryableError(f"InfluxDB answered {status} to CREATE DATABASE, CREATE USER and GRANT")


def _influx_text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _influx_query(port: int, statement: str, password: str) -> tuple[int, bytes]:
    """POST a statement: in the body, with the password in a header, so that no URL log contains them."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if password:
            headers["Authorization"] = "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()
        connection.request("POST", "/query", urlencode({"q": statement}), headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def get_json(port: int, path: str, timeout_seconds: float = 3) -> tuple[int, object]:
    """GET from a server on this machine, bypassing proxies. Return status and JSON (None if the body is not JSON).

    Raises:
        OSError, http.client.HTTPException: no answer.
    """
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout_seconds)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    try:
        return response.status, json.loads(body)
    except ValueError:
        return response.status, None
