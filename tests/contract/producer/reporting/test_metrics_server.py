"""Prometheus scrapes the producer."""

from __future__ import annotations

import socket
import urllib.request
from pathlib import Path

import pytest

from producer.position import SourcePosition
from producer.reporting.progress import Progress
from producer.status import Status
from twitter_topics.errors import ConfigurationError


def test_prometheus_is_served_locally_only_and_the_port_is_released(tmp_path: Path) -> None:
    progress = Progress(
        tmp_path, SourcePosition({}), source="x_v2", status=Status(connected=True), backlog=lambda: (0, 0)
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"port {port} \(PRODUCER_METRICS_PORT"):
            progress.metrics.serve(port)
    progress.metrics.serve(port)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        assert b'twitter_topics_producer_connected{source="x_v2"} 1.0' in answer.read()
    progress.close()
    with socket.create_server(("127.0.0.1", port)):
        pass
