"""Process 1 of a namespace: mounts, changes root, then waits until the tool closes its standard input, or dies.

When it ends, the kernel ends every other process of the namespace and its mounts vanish, whatever happened before.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}


def main(root: Path) -> None:
    if root != Path("/"):
        _mount("--bind", root, root)  # a mount point of its own, as a machine's root is: Elasticsearch looks for one
        _mount("--rbind", "/sys", root / "sys")
        _mount("-t", "tmpfs", "-o", "mode=755", "run", root / "run")
        _devices(root / "dev")
    _mount("-t", "proc", "proc", root / "proc")
    os.chroot(root)
    os.chdir("/")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # orphans leave no zombies
    os.write(1, b"ready\n")
    os.read(0, 1)


def _devices(folder: Path) -> None:
    """Nodes of our own: nothing that happens to them can reach the host's."""
    _mount("-t", "tmpfs", "-o", "mode=755", "dev", folder)
    for name in _DEVICES:
        os.mknod(folder / name, stat.S_IFCHR, os.stat(f"/dev/{name}").st_rdev)
        (folder / name).chmod(0o666)
    for name, target in _LINKS.items():
        (folder / name).symlink_to(target)
    for name in ("pts", "shm"):
        (folder / name).mkdir()
    _mount("-t", "devpts", "-o", "newinstance,ptmxmode=666,mode=620,gid=5", "devpts", folder / "pts")
    _mount("-t", "tmpfs", "-o", "mode=1777", "shm", folder / "shm")


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *arguments], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
