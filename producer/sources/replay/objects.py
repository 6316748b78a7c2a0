"""Files of lines under an S3 prefix: streamed, and resumed where a download was interrupted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any

import urllib3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    NoCredentialsError,
    PartialCredentialsError,
)

from producer.receiving.inbox import Inbox
from producer.receiving.rules import Backoff
from producer.source import Context
from producer.sources.replay.containers import Text, Wanted, texts
from producer.sources.replay.left_out import LeftOut, set_aside
from producer.sources.replay.material import STORE, StoppedError
from producer.sources.replay.replay_files import ReplayFile, ReplayFiles, natural
from twitter_topics.backends.s3 import s3_client
from twitter_topics.errors import ConfigurationError, IntegrityError, RetryableError, TwitterTopicsError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from twitter_topics.settings import S3Settings

CHUNK_BYTES = 256 * 1024
AHEAD_BYTES = 8 * 1024 * 1024
"""Limit of the bytes read ahead."""

POLL_S = 0.5
_BUSY = frozenset({408, 429})
_CHANGED = frozenset({404, 412, 416})
_END = b""

_log = logging.getLogger(__name__)


def stored_files(url: str, settings: S3Settings, context: Context, *, strict: bool = False) -> ReplayFiles:
    """Return the objects whose keys start with the prefix of `s3://BUCKET/PREFIX`; only their keys are held.

    The newest tweet is looked for in the last object that has tweets.

    Raises:
        ConfigurationError: not an S3 address, no access, or nothing to replay.
        RetryableError: the store does not answer.
    """
    scheme, _, address = url.partition("://")
    name, _, prefix = address.partition("/")
    if scheme not in ("s3", "s3a") or not name:
        raise ConfigurationError(f"PRODUCER_REPLAY_FILE={url} is not supported; use s3://BUCKET/PREFIX")
    bucket, left_out = _Bucket(s3_client(settings), name, context), LeftOut()
    files = sorted(bucket.files(prefix, left_out), key=lambda file: natural(file.name))
    if not files:
        raise ConfigurationError(f"PRODUCER_REPLAY_FILE={url} has no objects{left_out.sentence('; ')}")
    return ReplayFiles(url, files, context, left_out, remote=True, strict=strict)


class _Bucket:
    def __init__(self, client: S3Client, name: str, context: Context) -> None:
        self._client, self._name, self._context = client, name, context

    def files(self, prefix: str, left_out: LeftOut) -> Iterator[ReplayFile]:
        folder = prefix[: prefix.rfind("/") + 1]
        try:
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix):
                for item in page.get("Contents", []):
                    key = item["Key"]
                    why = set_aside(key.removeprefix(folder))
                    if why and key != prefix:
                        left_out.add(key, why)
                    elif not key.endswith("/"):  # S3's consoles make such empty objects
                        changed_ms = int(item["LastModified"].timestamp() * 1000)
                        opener = partial(self._texts, key, item["Size"], item["ETag"])
                        yield ReplayFile(key, item["Size"], changed_ms, opener)
        except (ClientError, BotoCoreError) as error:
            raise self._translated(error, prefix) from error

    def _texts(self, key: str, size: int, etag: str, wanted: Wanted) -> Iterator[Text | None]:
        return texts(key, ObjectReader(partial(self._body, key, etag), size, self._context).chunks(), wanted)

    def _body(self, key: str, etag: str, offset: int) -> Any:
        """Return the object from `offset` on, provided it is still the one that was listed."""
        try:
            return self._client.get_object(Bucket=self._name, Key=key, IfMatch=etag, Range=f"bytes={offset}-")["Body"]
        except (ClientError, BotoCoreError) as error:
            raise self._translated(error, key) from error

    def _translated(self, error: ClientError | BotoCoreError, key: str) -> TwitterTopicsError:
        url = f"s3://{self._name}/{key}"
        if isinstance(error, NoCredentialsError | PartialCredentialsError):
            return ConfigurationError(f"{url}: no credentials. Set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY.")
        if not isinstance(error, ClientError):
            return RetryableError(f"{url}: {error}")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = error.response.get("Error", {}).get("Code", "")
        if status >= 500 or status in _BUSY or code in ("SlowDown", "RequestTimeout", "Throttling"):
            return RetryableError(f"{url}: {code}")
        if status in _CHANGED and code != "NoSuchBucket":
            return IntegrityError(f"{url} was changed or deleted during the replay ({code}); restart to continue")
        return ConfigurationError(f"PRODUCER_REPLAY_FILE: {url}: {code}. Check the bucket and the S3_* settings.")


class ObjectReader:
    """One object, read ahead by a thread so that a slow store does not block the producer."""

    def __init__(self, body: Callable[[int], Any], size: int, context: Context) -> None:
        self._body, self._size, self._context = body, size, context
        self._inbox: Inbox[bytes] = Inbox(max_bytes=AHEAD_BYTES)
        self._error: Exception | None = None

    def chunks(self) -> Iterator[bytes | None]:
        """Yield the bytes of the object, then raise the thread's error, if any."""
        Thread(target=self._run, name="replay-download", daemon=True).start()
        try:
            while True:
                taken = self._inbox.take(POLL_S)
                for chunk in taken or (None,):
                    if chunk == _END:
                        if self._error is not None:
                            raise self._error
                        return
                    self._context.status.read_bytes += len(chunk or b"")
                    yield chunk
        finally:
            self._inbox.close()

    def _run(self) -> None:
        try:
            self._read()
        except Exception as error:  # noqa: BLE001 - raised again by `chunks`, in the thread that can end the process
            self._error = error
        self._inbox.put([_END])

    def _read(self) -> None:
        backoff, offset = Backoff(STORE, self._context.random), 0
        while offset < self._size:
            try:
                with closing(self._body(offset)) as body:
                    self._context.status.connected, self._context.status.sentence = True, ""
                    while chunk := body.read(CHUNK_BYTES):
                        offset += len(chunk)
                        backoff.reset()
                        if not self._inbox.put([chunk]):
                            return
                        self._stop_if_asked()
                if offset < self._size:
                    raise RetryableError(f"download ended after {offset} of {self._size} bytes")
            except FlexibleChecksumError as error:
                raise IntegrityError(f"an object was damaged in transit: {error}") from error
            except (RetryableError, BotoCoreError, urllib3.exceptions.HTTPError, OSError) as error:
                self._pause(backoff.network(), error)

    def _pause(self, seconds: float, error: Exception) -> None:
        self._stop_if_asked()
        status = self._context.status
        status.connected, status.sentence = False, f"the object store fails: {error}"
        status.reconnects["network"] += 1
        _log.warning("the object store fails (%s); retrying in %.2f s", error, seconds)
        self._context.wait(seconds)
        self._stop_if_asked()

    def _stop_if_asked(self) -> None:
        if self._context.stop.is_set():
            raise StoppedError("stopped in the middle of an object")
