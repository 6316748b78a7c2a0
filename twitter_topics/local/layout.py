"""The folders and files of a local stack."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from twitter_topics.errors import ConfigurationError
from twitter_topics.settings import PROJECT, inherited

if TYPE_CHECKING:
    from twitter_topics.settings import LocalSettings

SHARED = PROJECT / ".local"
"""Jars and unpacked servers, shared by every stack of this checkout."""

RECIPES = PROJECT / "deploy" / "local"
_SPLIT_AT = ",?"
_FOLDERS = (
    *("log", "health", "work", "tmp", "data", "archive", "counts", "checkpoints", "producer", "airflow"),
    "run",  # deleted last, because it has the lock, which marks the state folder as a stack's
)
_ROOT = 0
_LONGEST_SOCKET_PATH = 90  # the kernel's limit is 108 bytes, and supervisord first binds FILE.PID


@dataclass(frozen=True)
class Layout:
    """Folders and files of one stack. Stacks with different state folders are independent."""

    state: Path

    @classmethod
    def of(cls, settings: LocalSettings) -> Layout:
        """Return the layout of the settings; a relative state folder starts at the project's folder.

        Raises:
            ConfigurationError: the path has a character at which Spark, Kafka or a SQLite URL would split it, or the
                stack there belongs to another user.
        """
        state = (PROJECT / settings.state_dir.expanduser()).resolve()
        if wrong := set(_SPLIT_AT).intersection(str(state)):
            raise ConfigurationError(f"LOCAL_STATE_DIR={state} contains {' '.join(sorted(wrong))}; use another path")
        layout = cls(state)
        if os.getuid() != _ROOT:  # who may look at everybody's stack and stop it
            layout.require_own()
        return layout

    def require_own(self) -> None:
        """Raises ConfigurationError: the stack in the state folder belongs to another user."""
        try:
            owners = [path.stat().st_uid for path in (self.run, self.secrets) if path.exists()]
        except PermissionError:
            raise ConfigurationError(
                f"this user may not look into LOCAL_STATE_DIR={self.state}; use another LOCAL_STATE_DIR"
            ) from None
        if others := [uid for uid in owners if uid != os.getuid()]:
            user = _user_name(others[0])
            raise ConfigurationError(
                f"LOCAL_STATE_DIR={self.state} belongs to user {user}; run this as {user}, "
                "or use another LOCAL_STATE_DIR, with another LOCAL_PORT_OFFSET if both stacks run"
            )

    @property
    def stack_id(self) -> str:
        return "twitter-topics-" + hashlib.sha256(str(self.state).encode()).hexdigest()[:12]

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def log(self) -> Path:
        return self.state / "log"

    @property
    def data(self) -> Path:
        return self.state / "data"

    @property
    def airflow(self) -> Path:
        return self.state / "airflow"

    @property
    def health(self) -> Path:
        return self.state / "health"

    @property
    def secrets(self) -> Path:
        return self.state / "secrets.json"

    @property
    def work(self) -> Path:
        """Current folder of every service; collects what libraries write there (spark-warehouse, …)."""
        return self.state / "work"

    @property
    def tmp(self) -> Path:
        return self.state / "tmp"

    def socket(self) -> Path:
        """Return supervisord's socket, in a private folder of its user if the state folder's path is too long."""
        nearby = self.run / "supervisor.sock"
        if len(os.fsencode(nearby)) <= _LONGEST_SOCKET_PATH:
            return nearby
        owner = self.run.stat().st_uid if self.run.exists() else os.getuid()
        runtime = inherited(["XDG_RUNTIME_DIR"]).get("XDG_RUNTIME_DIR")
        folder = Path(runtime) if runtime else Path(tempfile.gettempdir()) / f"twitter-topics-{owner}"
        if owner == os.getuid():
            folder.mkdir(mode=0o700, exist_ok=True)
        if folder.exists() and folder.stat().st_uid != owner:
            raise ConfigurationError(f"{folder} belongs to another user; set LOCAL_STATE_DIR to a shorter path")
        return folder / f"{self.stack_id}.sock"

    @property
    def lock(self) -> Path:
        """Held by `up` and `down`. It exists in every folder in which a stack was started or stopped."""
        return self.run / "up.lock"

    @property
    def followed(self) -> Path:
        """The source of the last start."""
        return self.run / "followed.json"

    def service_state(self, name: str) -> Path:
        """Return the state file of a service, written by its runner."""
        return self.run / f"{name}.state.json"

    def service_environment(self, name: str) -> Path:
        return self.run / f"{name}.environment.json"

    def service_log(self, name: str) -> Path:
        return self.log / f"{name}.log"

    def make(self) -> None:
        """Create the folders, closed to other users.

        Raises:
            ConfigurationError: one of them exists already and is not a stack's, or they cannot be written.
        """
        if not self._is_a_stacks() and (foreign := [name for name in _FOLDERS if _has_files(self.state / name)]):
            found = ", ".join(sorted(foreign))
            raise ConfigurationError(f"LOCAL_STATE_DIR={self.state} has other files in {found}; use another folder")
        # Hadoop's local file system writes 0755 and 0644 whatever the umask: only a closed parent folder protects
        try:
            self.state.mkdir(parents=True, exist_ok=True)
            for name in _FOLDERS:
                folder = self.state / name
                folder.mkdir(exist_ok=True)
                folder.chmod(0o700)
            self.lock.touch()
        except OSError as error:
            raise ConfigurationError(
                f"LOCAL_STATE_DIR={self.state} cannot be used ({error}); use another one"
            ) from None

    def delete(self) -> list[str]:
        """Delete data, logs and secrets of a stopped stack and return their names. Everything else in the state folder
        stays, downloads included."""
        found = [self.state / name for name in (self.secrets.name, *_FOLDERS)] if self._is_a_stacks() else []
        found = [path for path in found if path.exists() or path.is_symlink()]
        for path in found:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        return [path.name for path in found]

    def _is_a_stacks(self) -> bool:
        return self.state == SHARED or self.lock.exists()


JARS = SHARED / "jars"
ELASTICSEARCH = SHARED / "elasticsearch"
INFLUXDB = SHARED / "influxdb"


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # such as one of another container
        return str(uid)


def _has_files(folder: Path) -> bool:
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically; only the user can read it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)
    temporary.replace(path)
