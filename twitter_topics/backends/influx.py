"""InfluxDB's 1.x API: points out, rows in. Measurement, tags and time name a point: writing it twice is harmless."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import requests
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError

from twitter_topics.backends import tls
from twitter_topics.backends.http_answers import root_cause_sentence
from twitter_topics.errors import ConfigurationError, IntegrityError, RetryableError
from twitter_topics.settings import InfluxSettings

POINTS_PER_REQUEST = 5_000
NS_PER_MS = 1_000_000
LONG_TIMEOUT_S = (5.0, 30.0)
"""Seconds to connect and to answer. The server itself gives up a write after 10 s."""

SHORT_TIMEOUT_S = (2.0, 5.0)
"""For what may as well be written later."""

_USER = "INFLUXDB_USERNAME and INFLUXDB_PASSWORD"
_CLIENT_ERRORS = (requests.RequestException, InfluxDBServerError, InfluxDBClientError)
_RETRYABLE_CODES = {408, 429}
_TAG_ESCAPES = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})

Value = int | float | str | bool
Row = tuple[dict[str, str], dict[str, Any]]
"""(tags, columns) of a row of an answer."""


class InfluxStore:
    """One database.

    All points stay in the default retention policy, which keeps everything: a replay may bring tweets as old as
    SPEED_MAX_AGE_DAYS, whose points a finite policy would reject.

    Every method raises RetryableError when the server is unreachable, busy or does not know the database;
    ConfigurationError when it rejects the user; IntegrityError when it rejects what was sent.
    """

    def __init__(self, settings: InfluxSettings, timeout_s: tuple[float, float] = LONG_TIMEOUT_S) -> None:
        url = urlsplit(settings.url)
        self._database = settings.database
        self.where = f"InfluxDB at {url.hostname}:{url.port or 8086}"
        password = settings.password.get_secret_value()
        basic = base64.b64encode(f"{settings.username}:{password}".encode()).decode()
        self._hidden = (password, basic) if password else ()
        reads = settings.username and settings.username == settings.read_username
        self._user = "INFLUXDB_READ_USERNAME and INFLUXDB_READ_PASSWORD" if reads else _USER
        self._client = InfluxDBClient(
            host=url.hostname,
            port=url.port or 8086,
            path=url.path.strip("/"),
            ssl=url.scheme == "https",
            username=settings.username or None,
            password=password or None,
            database=settings.database,
            timeout=timeout_s,
            retries=2,  # the second try takes a new connection where the server has dropped a kept one
            **tls.influxdb(settings.tls),
        )

    def close(self) -> None:
        self._client.close()

    def ensure_database(self) -> None:
        """Create the database if it is not there. Only that needs an admin."""
        names = [row["name"] for _, row in self.rows("SHOW DATABASES")]
        if self._database not in names:
            self.execute(f'CREATE DATABASE "{self._database}"')

    def write(self, lines: Iterable[str]) -> None:
        """Write points in line protocol with times in nanoseconds."""
        for chunk in _chunks(lines, POINTS_PER_REQUEST):
            try:
                self._client.write(chunk, params={"db": self._database, "precision": "ns"}, protocol="line")
            except _CLIENT_ERRORS as error:
                raise self._translated(error, "write") from error

    def rows(self, sql: str, bound: Mapping[str, int] | None = None) -> Iterator[Row]:
        """Rows of a SELECT; times in nanoseconds. `$name` in `sql` stands for a value of `bound`."""
        return self._query(sql, bound, "GET")

    def execute(self, sql: str) -> None:
        """Run a statement that changes something."""
        list(self._query(sql, None, "POST"))

    def _query(self, sql: str, bound: Mapping[str, int] | None, method: str) -> Iterator[Row]:
        try:
            result = self._client.query(sql, bind_params=dict(bound) if bound else None, epoch="ns", method=method)
        except _CLIENT_ERRORS as error:
            raise self._translated(error, "query") from error
        return (
            (one.get("tags", {}), dict(zip(one["columns"], values, strict=True)))
            for one in result.raw.get("series", [])
            for values in one.get("values", [])
        )

    def _translated(self, error: Exception, doing: str) -> Exception:
        code = getattr(error, "code", None)
        if isinstance(error, (requests.RequestException, InfluxDBServerError)) or code in _RETRYABLE_CODES:
            return RetryableError(f"{self.where} did not {doing}: {self._reason(error)}")
        if code in {401, 403}:
            return ConfigurationError(f"{self.where} rejected {self._user}: {self._reason(error)}")
        if code == 404 or "database not found" in str(error):
            return RetryableError(f"{self.where} has no database {self._database} (any more)")
        return IntegrityError(f"{self.where} rejected a {doing}: {self._reason(error)}")

    def _reason(self, error: Exception) -> str:
        """A server, or a proxy before it, may repeat what it was sent."""
        content = error.args[0] if error.args else ""
        if isinstance(error, requests.RequestException):
            text = root_cause_sentence(error)
        else:
            text = content.decode(errors="replace") if isinstance(content, bytes) else str(error)
        text = text.strip() or "a server error without a reason (HTTP 5xx)"
        for secret in self._hidden:
            text = text.replace(secret, "***")
        return text[:300]


def _chunks(lines: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(lines)
    while chunk := list(islice(rest, size)):
        yield chunk


def line(measurement: str, tags: Mapping[str, str], fields: Mapping[str, Value], time_ns: int) -> str:
    """A point in line protocol.

    Raises:
        IntegrityError: a field is not a finite number.
    """
    return f"{series_key(measurement, tags)} {field_set(fields)} {time_ns}"


def series_key(measurement: str, tags: Mapping[str, str]) -> str:
    """Measurement and tags of a line."""
    return measurement + "".join(f",{key}={tag_text(value).translate(_TAG_ESCAPES)}" for key, value in tags.items())


def tag_text(text: str) -> str:
    """`text` as a tag: one line, not empty, and without the backslash that line protocol cannot carry."""
    cleaned = " ".join("".join(c if c.isprintable() else " " for c in text.replace("\\", "/")).split())
    return cleaned or "-"


def field_set(fields: Mapping[str, Value]) -> str:
    """Fields of a line."""
    return ",".join(f"{key}={_field(value)}" for key, value in fields.items())


def _field(value: Value) -> str:
    """A field in line protocol. Its form fixes the column's type for good: integers end in i, floats never do."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, float):
        if not math.isfinite(value):
            msg = f"{value} is not a number that a series can hold"
            raise IntegrityError(msg)
        return repr(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
