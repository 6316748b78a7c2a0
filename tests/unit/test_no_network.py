"""The network guard of the unit tests."""

from __future__ import annotations

import socket
from collections import deque

import pytest
from py4j.clientserver import SHUTDOWN_FINALIZER_WORKER, FinalizerWorker


@pytest.mark.parametrize(
    ("call", "argument"), [("connect", ("127.0.0.1", 9)), ("connect_ex", ("127.0.0.1", 9)), ("listen", 1)]
)
def test_a_network_socket_fails_the_test_also_where_the_error_is_swallowed(
    call: str, argument: object, network_calls: list[str]
) -> None:
    with socket.socket() as one, pytest.raises(PermissionError, match=r"belongs to tests/contract"):
        getattr(one, call)(argument)
    assert network_calls == [f"{call}{(argument,)}"]
    network_calls.clear()


def test_sockets_within_this_machine_are_not_meant(network_calls: list[str]) -> None:
    one, other = socket.socketpair()
    with one, other:
        one.sendall(b"x")
        assert other.recv(1) == b"x"
    assert network_calls == []


def test_java_objects_of_other_tests_may_be_released(network_calls: list[str]) -> None:
    released: list[int] = []

    class Release:
        """A collected Java object's client."""

        def garbage_collect_object(self, target_id: int, enqueue: bool) -> None:
            with socket.socket() as one:
                released.append(one.connect_ex(("127.0.0.1", 9)))

    worker = FinalizerWorker(deque([SHUTDOWN_FINALIZER_WORKER, (Release(), 1)]))  # it works from the end
    worker.start()
    worker.join()
    assert len(released) == 1
    assert network_calls == []
