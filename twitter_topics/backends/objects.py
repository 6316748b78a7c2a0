"""The object store: whole objects and conditional writes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from twitter_topics.backends.reachable import is_loopback
from twitter_topics.backends.s3 import PATIENT, Patience, s3_client
from twitter_topics.errors import ConfigurationError, ConflictError, DeniedError, RetryableError

if TYPE_CHECKING:
    from datetime import datetime

    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

    from twitter_topics.settings import S3Settings


@dataclass(frozen=True)
class StoredObject:
    """Content and ETag of an object. The ETag identifies exactly this state."""

    body: bytes
    etag: str


class ObjectStore(Protocol):
    """One bucket. All methods raise RetryableError while the store is unavailable."""

    def get(self, key: str) -> StoredObject | None:
        """Return the object, or None if it does not exist. Raises DeniedError if the store does not say which."""
        ...

    def put(self, key: str, body: bytes) -> None:
        """Write an object unconditionally."""
        ...

    def put_new(self, key: str, body: bytes) -> str:
        """Create an object and return its ETag. Raises ConflictError if it exists."""
        ...

    def replace(self, key: str, body: bytes, etag: str) -> str:
        """Replace the state that `etag` names and return the new ETag. Raises ConflictError otherwise."""
        ...

    def keys(self, prefix: str, after: str = "") -> list[str]:
        """Return all keys that start with the prefix, sorted; those later than prefix + `after`."""
        ...

    def folders(self, prefix: str, after: str = "") -> list[str]:
        """Return the segments of these keys between the prefix and the next `/`, sorted."""
        ...

    def last_change(self, prefix: str) -> datetime | None:
        """Return when one of these keys was last written; None if there is none."""
        ...

    def delete(self, key: str) -> None:
        """Delete an object if it exists."""
        ...


class S3Objects:
    """One bucket.

    Args:
        bucket: another one than that of the settings.
        patience: how long a call may take.
    """

    def __init__(self, settings: S3Settings, *, bucket: str = "", patience: Patience = PATIENT) -> None:
        self._bucket = bucket or settings.bucket
        self._endpoint = settings.endpoint_url
        self._client: S3Client = s3_client(settings, patience)

    def get(self, key: str) -> StoredObject | None:
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
            return StoredObject(answer["Body"].read(), answer["ETag"])
        except (ClientError, BotoCoreError) as error:
            if _code(error) == "NoSuchKey":
                return None
            if _code(error) in _DENIED:
                raise DeniedError(self._access_message(_code(error), key)) from error
            raise self._translated(error, key) from error

    def put(self, key: str, body: bytes) -> None:
        try:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body)
        except (ClientError, BotoCoreError) as error:
            raise self._translated(error, key) from error

    def put_new(self, key: str, body: bytes) -> str:
        try:
            return self._client.put_object(Bucket=self._bucket, Key=key, Body=body, IfNoneMatch="*")["ETag"]
        except (ClientError, BotoCoreError) as error:
            raise self._translated(error, key) from error

    def replace(self, key: str, body: bytes, etag: str) -> str:
        try:
            return self._client.put_object(Bucket=self._bucket, Key=key, Body=body, IfMatch=etag)["ETag"]
        except (ClientError, BotoCoreError) as error:
            raise self._translated(error, key) from error

    def keys(self, prefix: str, after: str = "") -> list[str]:
        return sorted(item["Key"] for page in self._pages(prefix, after) for item in page.get("Contents", []))

    def folders(self, prefix: str, after: str = "") -> list[str]:
        pages = self._pages(prefix, after, Delimiter="/")
        found = {item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])}
        return sorted(folder.removeprefix(prefix).rstrip("/") for folder in found)

    def last_change(self, prefix: str) -> datetime | None:
        items = (item for page in self._pages(prefix, "") for item in page.get("Contents", []))
        return max((item["LastModified"] for item in items), default=None)

    def _pages(self, prefix: str, after: str, **options: Any) -> list[ListObjectsV2OutputTypeDef]:
        if after:
            options["StartAfter"] = prefix + after
        pages = self._client.get_paginator("list_objects_v2")
        try:
            return list(pages.paginate(Bucket=self._bucket, Prefix=prefix, **options))
        except (ClientError, BotoCoreError) as error:
            raise self._translated(error, prefix) from error

    def delete(self, key: str) -> None:
        try:
            self._client.delete_object(Bucket=self._bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise self._translated(error, key) from error

    def _translated(self, error: ClientError | BotoCoreError, key: str) -> Exception:
        code = _code(error)
        url = f"s3://{self._bucket}/{key}"
        if code in _LOST_RACE:
            return ConflictError(f"{url} was written by someone else in the meantime")
        if code in _ACCESS_ERRORS:
            return ConfigurationError(self._access_message(code, key))
        if isinstance(error, NoCredentialsError | PartialCredentialsError):
            hint = " The local stack makes them at its first start (make up)." if self._is_here() else ""
            return ConfigurationError(f"{url}: no credentials. Set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY.{hint}")
        if isinstance(error, ConnectionError | HTTPClientError):
            hint = "; is the stack running (make up)?" if self._is_here() else ""
            name = type(error).__name__
            return RetryableError(f"{url}: no answer from {self._endpoint or 'AWS'} ({name}){hint}")
        return RetryableError(f"{url}: {code or type(error).__name__}")

    def _is_here(self) -> bool:
        return is_loopback(self._endpoint)

    def _access_message(self, code: str, key: str) -> str:
        return f"s3://{self._bucket}/{key}: {code}. Check S3_BUCKET, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY."


def is_unfinished(key: str) -> bool:
    """Whether a key is the local S3's file of a write that it has not finished, listed for ever if it was killed."""
    return _UNFINISHED.search(key) is not None


_UNFINISHED = re.compile(r"-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")

# S3 answers 404 to an If-Match on a key that does not exist (any more)
_LOST_RACE = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409", "NoSuchKey"}
_DENIED = {"AccessDenied", "403"}
_ACCESS_ERRORS = {"NoSuchBucket", "InvalidAccessKeyId", "SignatureDoesNotMatch"} | _DENIED


def _code(error: ClientError | BotoCoreError) -> str:
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""
