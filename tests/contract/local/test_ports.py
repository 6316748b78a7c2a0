"""Ports: which program holds one, and that the stack does not start on a taken one."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from twitter_topics.errors import ConfigurationError
from twitter_topics.local.ports import DEFAULT_PORTS, Ports, listener, taken_port_sentences
from twitter_topics.local.stack import Stack
from twitter_topics.settings import Settings


def test_one_offset_moves_every_port() -> None:
    assert {name: Ports(100)[name] for name in DEFAULT_PORTS} == {
        name: port + 100 for name, port in DEFAULT_PORTS.items()
    }
    assert Ports().url("airflow") == "http://127.0.0.1:18080"


def test_a_port_in_use_is_named_with_its_program() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port, free = server.getsockname()[1], other.getsockname()[1]
        other.close()
        [problem] = taken_port_sentences({"kafka": port, "s3": free})
        assert f"port {port} (kafka)" in problem
        assert f"(pid {os.getpid()})" in problem


def test_a_free_port_has_no_holder() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))  # bound, but not listening
        assert listener(other.getsockname()[1]) == ""


def test_a_port_in_use_stops_the_start_before_anything_runs(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        offset = str(port - DEFAULT_PORTS["influxdb"])
        made = Stack(Settings({"LOCAL_STATE_DIR": str(tmp_path), "LOCAL_PORT_OFFSET": offset}), lambda _: None)
        with pytest.raises(ConfigurationError, match=rf"port {port} \(influxdb\) is in use .* LOCAL_PORT_OFFSET"):
            made.up(["services"])
    assert not made.supervisor.is_alive()
    assert made.supervisor.leftovers() == set()
