"""Unit tests use no network, and do not wait for the disk."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

_NETWORK = (socket.AF_INET, socket.AF_INET6)


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for the disk: no test here can see whether it was waited for."""
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda _file: None)


@pytest.fixture(autouse=True)
def network_calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Fail a test that uses a network socket, even if the code under test swallows the error. Yields the calls.

    Threads that other tests have left may use it: py4j's, for example, which releases Java objects of Spark tests
    whenever Python collects them.
    """
    calls: list[str] = []
    earlier = set(threading.enumerate()) - {threading.current_thread()}

    def guarded(name: str) -> Callable[..., Any]:
        real = getattr(socket.socket, name)

        def call(self: socket.socket, *arguments: Any) -> Any:
            if self.family not in _NETWORK or threading.current_thread() in earlier:
                return real(self, *arguments)
            calls.append(f"{name}{arguments}")
            raise PermissionError(f"a unit test calls {calls[-1]}: it belongs to tests/contract")

        return call

    for name in ("connect", "connect_ex", "listen"):
        monkeypatch.setattr(socket.socket, name, guarded(name))
    yield calls
    assert not calls, f"a unit test used the network, it belongs to tests/contract: {calls}"
