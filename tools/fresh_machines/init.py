"""Process 1 of a namespace: mounts, changes root, and waits until the tool closes its standard input or dies.

When it ends, the kernel kills all processes of the namespace and removes its mounts.
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
        _mount("--bind", root, root)  # Elasticsearch expects the root folder to be a mount point
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
    """Create separate device nodes, so that the host's cannot be changed."""
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
