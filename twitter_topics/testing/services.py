"""A private local stack for tests: real servers on free ports, in a temporary folder."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twitter_topics.local.ports import DEFAULT_PORTS, taken_port_sentences
from twitter_topics.local.stack import Stack
from twitter_topics.settings import Settings

log = logging.getLogger(__name__)


def free_offset(start: int = 1_000) -> int:
    """Return the first port offset from `start` at which all ports of a stack are free.

    It stays this process's until it ends: tests that start their stacks at the same time get different offsets.
    """
    for offset in range(start, 40_000, 500):
        if _claim(offset) and not taken_port_sentences({name: port + offset for name, port in DEFAULT_PORTS.items()}):
            return offset
    msg = "no block of free ports found"
    raise RuntimeError(msg)


def _claim(offset: int) -> bool:
    """Claim an offset, unless another process has. The claim is an abstract socket: its scope is the network namespace,
    like that of the ports, and the kernel drops it with the process."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0twitter-topics-ports-{offset}")
    except OSError:
        claim.close()
        return False
    claim.detach()
    return True


def stack_variables(state_dir: Path) -> dict[str, str]:
    """Return the settings of a stack on free ports in `state_dir`."""
    return {"LOCAL_STATE_DIR": str(state_dir), "LOCAL_PORT_OFFSET": str(free_offset()), "LOCAL_MIN_MEMORY_GIB": "0"}


@contextmanager
def running_services(state_dir: Path) -> Iterator[dict[str, str]]:
    """Run Kafka, Elasticsearch, S3 and InfluxDB; yield the settings variables with their addresses."""
    stack = Stack(Settings(stack_variables(state_dir)), log.info)
    try:
        stack.up(groups=["services"])
        yield dict(stack.addresses.variables)
    finally:
        stack.down()
