"""A fresh machine: a root filesystem made by debootstrap, without anything of the project."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.fresh_machines import host, systems
from tools.fresh_machines.errors import FreshMachineError
from tools.fresh_machines.namespace import Namespace

NEEDED = {
    "debootstrap": "debootstrap",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "tar": "tar",
    "gpg": "gnupg",
    "git": "git",
}
NEWCOMER = "newcomer"
_ADMIN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_USER_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"


@dataclass(frozen=True)
class Base:
    """A pristine root filesystem as a tar file, and how long debootstrap took to make it."""

    tar: Path
    seconds: int


@contextmanager
def alone(work: Path) -> Iterator[None]:
    """Lock the folder.

    Raises:
        FreshMachineError: another run uses this folder.
    """
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FreshMachineError(f"another run uses {work}: wait for it, or choose another --work") from None
        yield


def check_host() -> None:
    """Check that the host can make fresh machines.

    Raises:
        FreshMachineError: not root, or a program is missing.
    """
    if os.geteuid() != 0:
        raise FreshMachineError("debootstrap, mount and chroot need root; type: sudo tools/fresh-machine …")
    if missing := sorted({package for program, package in NEEDED.items() if not shutil.which(program)}):
        raise FreshMachineError(f"programs are missing; type: sudo apt-get install -y {' '.join(missing)}")


def base(suite: str, mirrors: systems.Mirrors, work: Path, log: Path) -> Base:
    """Return the base system, from the cache in `work` or made by debootstrap.

    Raises:
        FreshMachineError: debootstrap failed.
    """
    tar, facts = work / "base" / f"{suite}.tar", work / "base" / f"{suite}.json"
    if not tar.exists():
        distribution = systems.SUITES[suite]
        target = work / "base" / suite
        _remove(target)
        target.mkdir(parents=True)
        command: list[str | Path] = [
            *("debootstrap", "--variant=minbase", f"--keyring={systems.keyring(suite, mirrors, work)}"),
            *(f"--include={','.join(systems.PREINSTALLED)}", f"--components={distribution.components}"),
            *(suite, target, mirrors.archive, f"/usr/share/debootstrap/scripts/{distribution.script}"),
        ]
        half = tar.with_suffix(".part")
        try:
            began = time.monotonic()
            _on_host(command, log)
            seconds = time.monotonic() - began
            _on_host(["tar", "--create", "--file", half, "--directory", target, "."], log)
        finally:
            _remove(target)
        facts.write_text(json.dumps({"seconds": round(seconds)}))
        half.rename(tar)
    return Base(tar, json.loads(facts.read_text())["seconds"])


@dataclass(frozen=True)
class Machine:
    """Runs commands as `who`: an ordinary user or root."""

    root: Path
    namespace: Namespace
    who: str
    log: Path
    settings: dict[str, str]  # environment variables of `who`

    @property
    def home(self) -> Path:
        """The home folder, seen from inside."""
        return Path("/root") if self.who == "root" else Path("/home") / self.who

    def type(self, line: str, *, folder: str | Path = "", root_shell: bool = False) -> int:
        """Run a line in a shell in a folder of the home folder, log its output, and return the exit code."""
        who = "root" if root_shell else self.who
        home = Path("/root") if root_shell else self.home
        identity = [] if who == "root" else ["setpriv", "--reuid", who, "--regid", who, "--init-groups"]
        variables = {
            "HOME": str(home),
            "USER": who,
            "LOGNAME": who,
            "SHELL": "/bin/bash",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "PATH": _ADMIN_PATH if who == "root" else _USER_PATH,
            **self.settings,
        }
        assigned = [f"{name}={value}" for name, value in variables.items()]
        with self.log.open("ab") as output:
            output.write(f"\n{'#' if who == 'root' else '$'} {line}\n".encode())
            output.flush()
            shell = ["bash", "-c", 'cd "$1" && eval "$2"', "bash", str(home / folder), line]
            return self.namespace.run(["env", "-i", *assigned, *identity, *shell], output)

    def system(self) -> str:
        release = (self.root / "usr/lib/os-release").read_text()
        return next(line for line in release.splitlines() if line.startswith("PRETTY_NAME=")).split("=")[1].strip('"')

    def disk_bytes(self) -> int:
        counted = subprocess.run(["du", "-sxB1", self.root], check=True, capture_output=True, text=True)
        return int(counted.stdout.split()[0])


@contextmanager
def machine(
    suite: str, who: str, made: Base, mirrors: systems.Mirrors, work: Path, log: Path, offset: int
) -> Iterator[Machine]:
    """Unpack and set up a base; afterwards nothing of it is mounted, running or on disk."""
    root = work / "roots" / f"{suite}-{who}"
    try:
        _remove(root)
        root.mkdir(parents=True)
        _on_host(["tar", "--extract", "--file", made.tar, "--directory", root], log)
        (root / "etc/apt/sources.list.d").mkdir(exist_ok=True)
        (root / "etc/apt/sources.list").write_text(systems.sources_list(suite, mirrors))
        host.copy_settings(root, os.environ)
        with Namespace(root) as namespace:
            settings = {**host.environment(os.environ), "LOCAL_PORT_OFFSET": str(offset)}
            fresh = Machine(root, namespace, who, log, settings)
            setup = ["update-ca-certificates"]
            if who != "root":
                setup.append(f"useradd --create-home --shell /bin/bash {who}")
            for line in setup:
                if fresh.type(line, root_shell=True):
                    raise _failed(line, log)
            host.copy_home_settings(root / fresh.home.relative_to("/"))
            yield fresh
    finally:
        _remove(root)


def _on_host(command: Sequence[str | Path], log: Path) -> None:
    """Run a command that ends, with its mounts, even if the tool is killed."""
    with log.open("ab") as output, Namespace(Path("/")) as namespace:
        if namespace.run(command, output):
            raise _failed(str(command[0]), log)


def _failed(what: str, log: Path) -> FreshMachineError:
    end = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
    return FreshMachineError(f"{what} failed; the end of {log}:\n{end}")


def _remove(folder: Path) -> None:
    if folder.exists():
        # never delete through a foreign mount
        subprocess.run(["rm", "-rf", "--one-file-system", folder], check=True)
