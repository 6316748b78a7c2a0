"""InfluxDB's 1.x API: one database, its line protocol, and what its errors mean.

Measurement, tags and time fix a point: writing it twice is harmless.
"""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import requests
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError

from twitter_topics.errors import ConfigurationError, IntegrityError, RetryableError
from twitter_topics.settings import InfluxSettings

POINTS_PER_REQUEST = 5_000
NS_PER_MS = 1_000_000
SHORT_TIMEOUT_S = (2.0, 5.0)
"""For what may as well be written later: seconds to connect and to answer."""

_TIMEOUT_S = (5.0, 30.0)  # the server itself gives up a write after 10 s
_CLIENT_ERRORS = (requests.RequestException, InfluxDBServerError, InfluxDBClientError)
_WHOLE_TRIES, _WHOLE_PAUSE_SECONDS = 20, 0.1
_TAG_ESCAPES = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})

Value = int | float | str | bool
Row = tuple[dict[str, str], dict[str, Any]]
"""(tags, columns) of a row of an answer."""


class InfluxDatabase:
    """One database, for the classes that know its measurements.

    All points stay in the default retention policy, which keeps everything.

    Every method raises RetryableError when the server is away, busy or does not know the database; ConfigurationError
    when it refuses the user; IntegrityError when it refuses what was sent or holds what nobody wrote.
    """

    def __init__(self, settings: InfluxSettings, timeout_s: tuple[float, float] = _TIMEOUT_S) -> None:
        url = urlsplit(settings.url)
        self._database = settings.database
        self._where = f"InfluxDB at {url.hostname}:{url.port or 8086}"
        password = settings.password.get_secret_value()
        basic = base64.b64encode(f"{settings.username}:{password}".encode()).decode()
        self._hidden = (password, basic) if password else ()
        self._client = InfluxDBClient(
            host=url.hostname,
            port=url.port or 8086,
            path=url.path.strip("/"),
            ssl=url.scheme == "https",
            verify_ssl=True,
            username=settings.username or None,
            password=password or None,
            database=settings.database,
            timeout=timeout_s,
            retries=2,  # the second try takes a new connection where the server has dropped a kept one
        )

    def close(self) -> None:
        self._client.close()

    def ensure_database(self) -> None:
        """Make the database if it is not there. Only that needs an admin."""
        names = [row["name"] for _, row in self._rows("SHOW DATABASES")]
        if self._database not in names:
            self._rows(f'CREATE DATABASE "{self._database}"', write=True)

    def _write(self, lines: Iterable[str]) -> None:
        for chunk in _chunks(lines, POINTS_PER_REQUEST):
            try:
                self._client.write(chunk, params={"db": self._database, "precision": "ns"}, protocol="line")
            except _CLIENT_ERRORS as error:
                raise self._translated(error, "write") from error

    def _between(self, columns: str, measurement: str, from_ms: int, to_ms: int, tags: str) -> list[Row]:
        """Rows with times in [from_ms, to_ms) and the tags of their series.

        InfluxDB stores the fields of a point one after the other, so a reader beside the writer may see half a point.
        """
        rest = f"WHERE time >= $from AND time < $to GROUP BY {tags}"
        bound = {"from": from_ms * NS_PER_MS, "to": to_ms * NS_PER_MS}
        for _ in range(_WHOLE_TRIES):
            rows = list(self._rows(select(columns, measurement, rest), bound=bound))
            if all(value is not None for _, row in rows for value in row.values()):
                return rows
            time.sleep(_WHOLE_PAUSE_SECONDS)
        msg = f"{self._where}: points of {measurement} stay half written"
        raise RetryableError(msg)

    def _rows(self, sql: str, *, bound: dict[str, int] | None = None, write: bool = False) -> Iterator[Row]:
        try:
            result = self._client.query(sql, bind_params=bound, epoch="ns", method="POST" if write else "GET")
        except _CLIENT_ERRORS as error:
            raise self._translated(error, "query") from error
        series = result.raw.get("series", [])
        return (
            (one.get("tags", {}), dict(zip(one["columns"], values, strict=True)))
            for one in series
            for values in one.get("values", [])
        )

    def _words_of(self, error: Exception) -> str:
        """A server, or a proxy before it, may repeat what it was sent."""
        text = str(error)
        for secret in self._hidden:
            text = text.replace(secret, "***")
        return text[:300]

    def _translated(self, error: Exception, doing: str) -> Exception:
        if isinstance(error, (requests.RequestException, InfluxDBServerError)):
            return RetryableError(f"{self._where} did not {doing}: {self._words_of(error)}")
        code = getattr(error, "code", None)
        if code in {401, 403}:
            return ConfigurationError(
                f"{self._where} refused INFLUXDB_USERNAME and INFLUXDB_PASSWORD: {self._words_of(error)}"
            )
        if code == 404 or "database not found" in str(error):
            return RetryableError(f"{self._where} has no database {self._database} (any more)")
        return IntegrityError(f"{self._where} refused a {doing}: {self._words_of(error)}")


def select(columns: str, measurement: str, rest: str = "") -> str:
    """A query. Its parts are constants of the code; values are bound."""
    return f"SELECT {columns} FROM {measurement} {rest}"  # noqa: S608


def delete(measurement: str, rest: str = "") -> str:
    """A deletion. Its parts are constants of the code and integers: InfluxDB binds no values here."""
    return f"DELETE FROM {measurement} {rest}"  # noqa: S608


def line(key: str, fields: Mapping[str, Value], time_ns: int) -> str:
    """A point in line protocol; `key` as of `series_key`.

    Raises:
        IntegrityError: a number that is not finite.
    """
    return f"{key} {','.join(f'{name}={_field(value)}' for name, value in fields.items())} {time_ns}"


def series_key(measurement: str, tags: Mapping[str, str]) -> str:
    """Measurement and tags of a line."""
    return measurement + "".join(f",{name}={tag_text(value).translate(_TAG_ESCAPES)}" for name, value in tags.items())


def tag_text(text: str) -> str:
    """`text` as a tag: one line, not empty, and without the backslash that line protocol cannot carry."""
    cleaned = " ".join("".join(c if c.isprintable() else " " for c in text.replace("\\", "/")).split())
    return cleaned or "-"


def _field(value: Value) -> str:
    """A field in line protocol. Its form fixes the column's type for good: integers end in i, floats never do."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, float):
        if not math.isfinite(value):
            msg = f"{value} is no number that a series can hold"
            raise IntegrityError(msg)
        return repr(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _chunks(lines: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(lines)
    while chunk := list(islice(rest, size)):
        yield chunk
