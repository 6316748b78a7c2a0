"""The right to be the one driver of an app, as generations that are created once and never changed.

    <checkpoints>/<app>-driver/<generation>.json

A driver takes the next generation when it starts, so a restart waits for no clock to run out. Whoever held the one
before finds out at its next check, before it writes. Creating an object is atomic everywhere; replacing one (If-Match)
is not, on some S3 servers.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import socket
import tempfile
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from twitter_topics.backends.numbered import numbered, numbers
from twitter_topics.backends.objects import S3Objects, StoredObject
from twitter_topics.backends.s3 import PROMPT
from twitter_topics.errors import ConfigurationError, ConflictError, RetryableError, SupersededError

if TYPE_CHECKING:
    from twitter_topics.settings import Settings

log = logging.getLogger(__name__)

_SUFFIX = ".json"
_NOT_OURS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)
_S3_SCHEMES = ("s3", "s3a", "s3n")


class Generations(Protocol):
    """Where the generations are: an `ObjectStore`, or a folder."""

    def get(self, key: str) -> StoredObject | None: ...

    def put_new(self, key: str, body: bytes) -> str: ...

    def keys(self, prefix: str) -> list[str]: ...

    def delete(self, key: str) -> None: ...


class Lease:
    """The lease of one app, for any number of threads.

    Args:
        generations: where they are.
        prefix: of their keys.
        app: name of the app, for messages.
    """

    def __init__(self, generations: Generations, prefix: str, app: str) -> None:
        self._generations, self._prefix, self._app = generations, prefix, app
        self._owner = f"{socket.gethostname()} pid {os.getpid()} {uuid.uuid4().hex[:8]}"
        self._held = 0
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settings: Settings, app: str) -> Lease:
        """The lease beside the app's checkpoints; in the bucket of the settings if those are neither in a folder nor on
        S3."""
        where = settings.speed.checkpoint_dir
        parts = urlsplit(where)
        if not parts.scheme or parts.scheme == "file":
            return cls(Folder(), f"{Path(parts.path).resolve()}/{app}-driver/", app)
        bucket, folder = parts.netloc, parts.path.strip("/")
        if parts.scheme not in _S3_SCHEMES:
            bucket, folder = settings.s3.bucket, f"leases/{hashlib.sha256(where.encode()).hexdigest()[:16]}"
        prefix = "/".join(filter(None, (folder, f"{app}-driver"))) + "/"
        return cls(S3Objects(settings.s3, bucket=bucket, patience=PROMPT), prefix, app)

    def hold(self) -> None:
        """Take the lease, or make sure that this process still has it. Call it before anything is written.

        Raises:
            SupersededError: another process has taken it.
            RetryableError, ConfigurationError: as of the store. Write nothing.
        """
        with self._lock:
            newest = self._newest()
            if not self._held:
                self._take(newest + 1)
            elif newest > self._held:
                self._lost(newest)

    def _take(self, generation: int) -> None:
        try:
            self._generations.put_new(self._key(generation), json.dumps({"owner": self._owner}).encode())
        except ConflictError:  # perhaps our own, whose answer was lost
            if self._owner_of(generation) != self._owner:
                raise RetryableError(f"another driver of {self._app} starts at the same moment") from None
        if (newest := self._newest()) > generation:
            self._lost(newest)
        self._held = generation
        log.info("driver %d of %s: %s", generation, self._app, self._owner)
        for key in self._generations.keys(self._prefix):
            if key < self._key(generation - 1):
                self._generations.delete(key)

    def _lost(self, newest: int) -> None:
        raise SupersededError(
            f"another driver of {self._app} ({self._owner_of(newest)}) has taken over: this one ends. Stop one of the "
            "two; a checkpoint has one driver"
        )

    def _newest(self) -> int:
        return max(numbers(self._generations.keys(self._prefix), self._prefix, _SUFFIX), default=0)

    def _owner_of(self, generation: int) -> str:
        found = self._generations.get(self._key(generation))
        try:
            return str(json.loads(found.body)["owner"]) if found else "unknown"
        except (ValueError, KeyError, TypeError):
            return "unknown"

    def _key(self, generation: int) -> str:
        return numbered(self._prefix, generation, _SUFFIX)


class Folder:
    """Generations in a local folder; keys are paths."""

    def get(self, key: str) -> StoredObject | None:
        try:
            return StoredObject(Path(key).read_bytes(), "")
        except FileNotFoundError:
            return None

    def put_new(self, key: str, body: bytes) -> str:
        """Create a file with its content at once. Raises ConflictError if it exists."""
        path = Path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".tmp") as file:
                file.write(body)
                file.flush()
                os.link(file.name, path)
        except FileExistsError:
            raise ConflictError(f"{key} exists") from None
        except OSError as error:
            message = f"SPEED_CHECKPOINT_DIR: {path.parent} cannot be written: {error.strerror}"
            raise (ConfigurationError if error.errno in _NOT_OURS else RetryableError)(message) from error
        return ""

    def keys(self, prefix: str) -> list[str]:
        return sorted(str(path) for path in Path(prefix).glob("*.json"))

    def delete(self, key: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            Path(key).unlink()
