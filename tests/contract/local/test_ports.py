"""Ports, and who holds one."""

from __future__ import annotations

import os
import socket

from twitter_topics.local.ports import DEFAULT_PORTS, Ports, listener, taken_port_sentences


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
        other.bind(("127.0.0.1", 0))  # bound, but nobody listens
        assert listener(other.getsockname()[1]) == ""
