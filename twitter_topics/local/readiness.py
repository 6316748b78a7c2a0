"""Readiness checks of services.

Each check takes a time (unix seconds); earlier reports of the service do not count.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from twitter_topics.local.ports import LOOPBACK
from twitter_topics.local.servers import get_json

if TYPE_CHECKING:
    from pathlib import Path

Readiness = Callable[[float], bool]


def port_open(port: int) -> Readiness:
    """Ready when the port accepts connections."""

    def ready(_since: float) -> bool:
        try:
            socket.create_connection((LOOPBACK, port), timeout=1).close()
        except OSError:
            return False
        return True

    return ready


def answers(port: int, path: str) -> Readiness:
    """Ready when the server answers a request, even with an error such as 403, but not 5xx or 408."""

    def ready(_since: float) -> bool:
        try:
            status, _ = get_json(port, path)
        except (OSError, http.client.HTTPException):
            return False
        return status < http.client.INTERNAL_SERVER_ERROR and status != http.client.REQUEST_TIMEOUT

    return ready


def airflow(port: int, component: str = "") -> Readiness:
    """Ready when Airflow's health page agrees. A component's heartbeat must be newer than our start: for half a minute
    the page shows a stopped component as healthy."""

    def ready(since: float) -> bool:
        try:
            _, page = get_json(port, "/api/v2/monitor/health")
        except (OSError, http.client.HTTPException):
            return False
        return _healthy(page, component, since)

    return ready


def _healthy(page: Any, component: str, since: float) -> bool:
    if not isinstance(page, dict):
        return False
    if not component:
        return bool(page.get("metadatabase", {}).get("status") == "healthy")
    heartbeat = (page.get(component) or {}).get(f"latest_{component}_heartbeat")
    return isinstance(heartbeat, str) and datetime.fromisoformat(heartbeat).timestamp() > since


def reports(*files: Path) -> Readiness:
    """Ready when every part has written its health file."""

    def ready(since: float) -> bool:
        return all(read_report(file).get("at", 0) > since for file in files)

    return ready


def read_report(file: Path) -> dict[str, Any]:
    """Return the JSON object in a file, empty if there is none yet."""
    try:
        report = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}
