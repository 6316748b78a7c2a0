"""The network guard of the unit tests."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest


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


@pytest.fixture(scope="module")
def thread_of_another_test() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as executor:
        executor.submit(int).result()
        yield executor


def test_threads_of_other_tests_may_use_the_network(thread_of_another_test: Executor, network_calls: list[str]) -> None:
    with socket.socket() as one:
        assert thread_of_another_test.submit(one.connect_ex, ("127.0.0.1", 9)).result() != 0
    assert network_calls == []


def test_threads_of_the_test_may_not(network_calls: list[str]) -> None:
    with socket.socket() as one, ThreadPoolExecutor(1) as executor, pytest.raises(PermissionError):
        executor.submit(one.connect_ex, ("127.0.0.1", 9)).result()
    assert len(network_calls) == 1
    network_calls.clear()
