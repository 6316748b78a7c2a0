"""Memory of a set of processes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from pathlib import Path
from types import TracebackType

_SAMPLE_SECONDS = 5.0


def resident_bytes(pids: Collection[int]) -> int:
    """Return the total memory of the processes. Shared pages count once (PSS); where the kernel does not report a
    process's share, its whole resident size counts."""
    return sum(_proportional(pid) or _resident(pid) for pid in pids)


class PeakMemory:
    """Samples in the background while the `with` block runs; `peak` is the highest total, in bytes."""

    def __init__(self, find: Callable[[], Collection[int]], sample_seconds: float = _SAMPLE_SECONDS) -> None:
        self.peak = 0
        self._find = find
        self._pause = sample_seconds
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> int:
        """Stop sampling and return the peak."""
        self._done.set()
        self._thread.join()
        return self.peak

    def _watch(self) -> None:
        while not self._done.wait(self._pause):
            self.peak = max(self.peak, resident_bytes(self._find()))


def _proportional(pid: int) -> int:
    return _kilobytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss:")


def _resident(pid: int) -> int:
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmRSS:")


def _kilobytes(file: Path, field: str) -> int:
    """Return a field of a /proc file in bytes, 0 if the process has ended or cannot be read."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), 0)
