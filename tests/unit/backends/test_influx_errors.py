"""What is said when InfluxDB, or a proxy before it, does not do what it is asked."""

from __future__ import annotations

from http.client import RemoteDisconnected
from typing import Any

import pytest
import requests
from influxdb.exceptions import InfluxDBServerError

from twitter_topics.backends.influx import InfluxStore
from twitter_topics.errors import RetryableError
from twitter_topics.settings import Settings


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "a server error without a reason (HTTP 5xx)"), (b"try later\n", "try later"), (b"\xff", "\ufffd")],
)
def test_a_server_error_is_a_sentence(monkeypatch: pytest.MonkeyPatch, content: bytes, said: str) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise InfluxDBServerError(content)

    monkeypatch.setattr("influxdb.InfluxDBClient.write", fail)
    with pytest.raises(RetryableError) as caught:
        InfluxStore(Settings({}).influx).write(["health ok=1 1"])
    assert str(caught.value).endswith(f"did not write: {said}")


def test_a_broken_connection_is_told_by_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        cause = RemoteDisconnected("Remote end closed connection without response")
        raise requests.ConnectionError("('Connection aborted.', …)") from cause

    monkeypatch.setattr("influxdb.InfluxDBClient.write", fail)
    with pytest.raises(RetryableError) as caught:
        InfluxStore(Settings({}).influx).write(["health ok=1 1"])
    said = "RemoteDisconnected: Remote end closed connection without response"
    assert str(caught.value).endswith(f"did not write: {said}")
