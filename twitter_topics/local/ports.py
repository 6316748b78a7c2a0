"""The ports of the local stack, and the programs that occupy them."""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from twitter_topics.local import processes

LOOPBACK = "127.0.0.1"
DEFAULT_PORTS = {
    "airflow": 18080,
    "influxdb": 18086,
    "influxdb_rpc": 18088,
    "s3": 19000,
    "kafka": 19092,
    "kafka_controller": 19093,
    "elasticsearch": 19200,
    "elasticsearch_transport": 19300,
}


@dataclass(frozen=True)
class Ports:
    """DEFAULT_PORTS, shifted by one offset."""

    offset: int = 0

    def __getitem__(self, name: str) -> int:
        return DEFAULT_PORTS[name] + self.offset

    def address(self, name: str) -> str:
        return f"{LOOPBACK}:{self[name]}"

    def url(self, name: str) -> str:
        return f"http://{self.address(name)}"


def taken_port_sentences(ports: dict[str, int]) -> list[str]:
    """Return a sentence for each port that cannot be bound."""
    return [
        f"port {port} ({name}) is in use by {listener(port) or 'another program'}"
        for name, port in ports.items()
        if not _is_free(port)
    ]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def listener(port: int) -> str:
    """Return name and pid of the program that listens on a port, empty if this user cannot see it."""
    inodes = _listening_inodes(port)
    if not inodes:
        return ""
    links = {f"socket:[{inode}]" for inode in inodes}
    for pid in processes.snapshot():
        with contextlib.suppress(OSError):
            if any(os.readlink(entry) in links for entry in Path(f"/proc/{pid}/fd").iterdir()):
                return f"{processes.short_name(pid)} (pid {pid})"
    return ""


def _listening_inodes(port: int) -> set[str]:
    listening, inodes = "0A", set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == listening and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(fields[9])
    return inodes
