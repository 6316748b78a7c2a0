"""An in-memory object store."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from twitter_topics.backends.objects import StoredObject
from twitter_topics.errors import ConflictError


class MemoryObjects:
    """An `ObjectStore` that passes the same tests as S3, including races.

    Args:
        clock: time of the writes.
    """

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._objects: dict[str, bytes] = {}
        self._written: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> StoredObject | None:
        with self._lock:
            body = self._objects.get(key)
        return None if body is None else StoredObject(body, _etag(body))

    def put(self, key: str, body: bytes) -> None:
        with self._lock:
            self._write(key, body)

    def put_new(self, key: str, body: bytes) -> str:
        with self._lock:
            if key in self._objects:
                raise ConflictError(f"{key} exists")
            self._write(key, body)
        return _etag(body)

    def replace(self, key: str, body: bytes, etag: str) -> str:
        with self._lock:
            if key not in self._objects or _etag(self._objects[key]) != etag:
                raise ConflictError(f"{key} has changed")
            self._write(key, body)
        return _etag(body)

    def keys(self, prefix: str, after: str = "") -> list[str]:
        return self._keys(prefix, after)

    def folders(self, prefix: str, after: str = "") -> list[str]:
        rest = [key.removeprefix(prefix) for key in self._keys(prefix, after)]
        return sorted({name.split("/")[0] for name in rest if "/" in name})

    def last_change(self, prefix: str) -> datetime | None:
        return max((self._written[key] for key in self._keys(prefix, "")), default=None)

    def delete(self, key: str) -> None:
        with self._lock:
            self._objects.pop(key, None)

    def _keys(self, prefix: str, after: str) -> list[str]:
        with self._lock:
            keys = [key for key in self._objects if key.startswith(prefix)]
        return sorted(key for key in keys if not after or key > prefix + after)

    def _write(self, key: str, body: bytes) -> None:
        self._objects[key], self._written[key] = body, self._clock()


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
