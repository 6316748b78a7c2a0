"""A private Kafka broker for a test to kill, pause and restart without affecting others."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from pathlib import Path
from string import Template

from twitter_topics.local.java import find_java
from twitter_topics.local.layout import JARS, RECIPES

PATIENCE_S = 90.0


class Broker:
    """One broker on free ports of 127.0.0.1, with its data in `folder`. A restart keeps its address."""

    def __init__(self, folder: Path, properties: str = "") -> None:
        """`properties` override those of the recipe; `$port` in them is the broker's port."""
        self._folder = folder
        self.port, controller_port = free_ports()
        self.address = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        recipe = Template((RECIPES / "kafka.properties").read_text())
        values = {"data": folder, "port": self.port, "controller_port": controller_port}
        text = recipe.substitute(values) + "\n" + Template(properties).safe_substitute(values)
        (folder / "kafka.properties").write_text(text)

    def start(self) -> None:
        """Start the broker and wait until its port is open."""
        command = [str(RECIPES / "kafka.sh"), str(self._folder), str(JARS / "kafka"), find_java().program]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + PATIENCE_S
        while not self._is_open():
            if time.monotonic() > deadline or self._process.poll() is not None:
                msg = f"Kafka did not start, see {self._folder / 'log'}"
                raise RuntimeError(msg)
            time.sleep(0.1)

    def pause(self) -> None:
        """Keep connections open and stop answering."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it (kill -9)."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop it cleanly. Does nothing if it is not running."""
        self._end(signal.SIGTERM)

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _is_open(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


def free_ports() -> tuple[int, int]:
    """Return two unused ports of the loopback address."""
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]
