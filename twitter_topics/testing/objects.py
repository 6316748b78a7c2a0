"""An in-memory object store."""

from __future__ import annotations

import hashlib
import threading

from twitter_topics.backends.objects import StoredObject
from twitter_topics.errors import ConflictError


class MemoryObjects:
    """An `ObjectStore` that passes the same tests as S3, including races."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> StoredObject | None:
        with self._lock:
            body = self._objects.get(key)
        return None if body is None else StoredObject(body, _etag(body))

    def put(self, key: str, body: bytes) -> None:
        with self._lock:
            self._objects[key] = body

    def put_new(self, key: str, body: bytes) -> str:
        with self._lock:
            if key in self._objects:
                raise ConflictError(f"{key} exists")
            self._objects[key] = body
        return _etag(body)

    def replace(self, key: str, body: bytes, etag: str) -> str:
        with self._lock:
            if key not in self._objects or _etag(self._objects[key]) != etag:
                raise ConflictError(f"{key} has changed")
            self._objects[key] = body
        return _etag(body)

    def keys(self, prefix: str) -> list[str]:
        with self._lock:
            return sorted(key for key in self._objects if key.startswith(prefix))

    def folders(self, prefix: str) -> list[str]:
        rest = [key.removeprefix(prefix) for key in self.keys(prefix)]
        return sorted({name.split("/")[0] for name in rest if "/" in name})

    def delete(self, key: str) -> None:
        with self._lock:
            self._objects.pop(key, None)


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
