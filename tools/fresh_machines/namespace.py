"""Processes and mounts that end together, however the tool ends: Ctrl-C, an exception, kill -9."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from tools.fresh_machines import init
from tools.fresh_machines.errors import FreshMachineError

_UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private")


class Namespace:
    """A mount and process namespace with `root` as its root folder; `/` is the host's file system. Needs root.

    Raises:
        FreshMachineError: the kernel or a container does not allow it.
    """

    def __init__(self, root: Path) -> None:
        # its own session: Ctrl-C reaches only the tool, which then ends the rest
        self._holder = subprocess.Popen(
            [*_UNSHARE, sys.executable, init.__file__, str(root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._holder.stdin
        assert self._holder.stdout
        if self._holder.stdout.readline() != b"ready\n":
            self.close()
            raise FreshMachineError(
                "cannot create namespaces and mounts (see above); use a machine or a privileged container"
            )
        self._init = int(Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text())
        self._inode = Path(f"/proc/{self._init}/ns/pid").stat().st_ino

    def __enter__(self) -> Namespace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the namespace and return when no process of it is left."""
        if self._holder.stdin:
            self._holder.stdin.close()
        self._holder.wait()

    def run(self, command: Sequence[str | Path], output: IO[bytes] | int) -> int:
        """Run a command inside, without a terminal, and return its exit code."""
        enter = ["nsenter", "--target", str(self._init), "--mount", "--pid", "--root", "--wd"]
        with subprocess.Popen(
            [*enter, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output != subprocess.DEVNULL else subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            try:
                return process.wait()
            except BaseException:
                self.close()
                raise

    def processes(self) -> list[int]:
        """Return the host's pids of the namespace's processes, without the first one."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if (folder / "ns" / "pid").stat().st_ino == self._inode and int(folder.name) != self._init:
                    found.append(int(folder.name))
            except OSError:
                continue  # it has ended
        return found
