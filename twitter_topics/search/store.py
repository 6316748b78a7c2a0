"""The search store: daily indices of classified tweets, written by id."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from elastic_transport import ConnectionError as TransportConnectionError
from elastic_transport import ConnectionTimeout
from elasticsearch import ApiError, Elasticsearch, NotFoundError

from twitter_topics.backends.retrying import RetryPolicy
from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.search.index import index_name, index_template

if TYPE_CHECKING:
    from twitter_topics.settings import ElasticsearchSettings

log = logging.getLogger(__name__)

BULK_DOCUMENTS = 2_000
_RETRY_STATUS = {403, 408, 429, 500, 502, 503, 504}
# 403: some versions return it for a disk block; waiting loses nothing, dropping would


class Outcome(Enum):
    """What happened to a document."""

    OWNED = "owned"
    """This record owns the document: it is new, or a repeated batch wrote it again."""
    DUPLICATE = "duplicate"
    """Another record with the same tweet came first."""
    REJECTED = "rejected"
    """Elasticsearch cannot index it (mapping, size). A retry would not help."""


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome of one document; `reason` explains a rejection."""

    outcome: Outcome
    reason: str = ""


class SearchStore:
    """Documents as in search.index. Every call can raise RetryableError if Elasticsearch stays unavailable."""

    def __init__(self, settings: ElasticsearchSettings, *, patience_seconds: float = 600.0) -> None:
        self._settings = settings
        self._retries = RetryPolicy(patience_seconds)
        self._client = elasticsearch_client(settings)

    def ensure_template(self) -> None:
        """Put the index template; new indices follow it."""
        s = self._settings
        body = index_template(s.index_prefix, shards=s.shards, replicas=s.replicas)
        self._patiently(lambda: self._client.indices.put_index_template(name=s.index_prefix, **body))

    def create(self, documents: Sequence[dict[str, Any]]) -> list[Written]:
        """Write documents by tweet id, each id once.

        The first record with an id owns the document. A repeat of that record overwrites it (a repeated batch may use
        another model); any other record with that id is a duplicate.

        Returns:
            One outcome per document, in order.

        Raises:
            RetryableError: Elasticsearch did not accept them within the patience. A retry loses nothing.
        """
        outcomes: list[Written | None] = [None] * len(documents)
        conflicts: list[int] = []
        for position, status, error in self._bulk("create", documents, range(len(documents))):
            if status == 409:
                conflicts.append(position)
            else:
                outcomes[position] = _written(status, error)
        if conflicts:
            owned = self._owned(documents, conflicts)
            for position in conflicts:
                outcomes[position] = Written(Outcome.OWNED if position in owned else Outcome.DUPLICATE)
            for position, status, error in self._bulk("index", documents, sorted(owned)):
                outcomes[position] = _written(status, error)
        return [one for one in outcomes if one is not None]

    def delete(self, tweets: Sequence[tuple[str, int]]) -> int:
        """Delete the documents of tweets (tweet id, event time in Unix milliseconds).

        Returns:
            The number of documents that existed. A missing document or day counts as deleted.

        Raises:
            RetryableError: Elasticsearch did not delete all of them within the patience.
        """
        named = [{"tweet_id": tweet_id, "created_at": event_time_ms} for tweet_id, event_time_ms in tweets]
        there = 0
        for position, status, error in self._bulk("delete", named, range(len(named))):
            if status == 404:
                continue
            if status >= 300:
                raise RetryableError(f"Elasticsearch did not delete {tweets[position][0]}: HTTP {status}: {error}")
            there += 1
        return there

    def daily_indices(self) -> dict[str, int]:
        """Return the number of documents per daily index, by name."""
        rows = self._patiently(
            lambda: self._client.cat.indices(index=f"{self._settings.index_prefix}-*", format="json", h="index")
        )
        names = sorted(row["index"] for row in rows)
        return {name: self.count(index=name) for name in names}

    def count(self, query: dict[str, Any] | None = None, *, index: str = "") -> int:
        """Count the documents that match, in all days or one index, including everything acknowledged."""
        target = index or f"{self._settings.index_prefix}-*"
        self._patiently(lambda: self._client.indices.refresh(index=target, ignore_unavailable=True))
        answer = self._patiently(lambda: self._client.count(index=target, query=query, ignore_unavailable=True))
        return int(answer["count"])

    def search(self, **body: Any) -> dict[str, Any]:
        """Search all days; keywords as in Elasticsearch's search API."""
        answer = self._patiently(
            lambda: self._client.search(index=f"{self._settings.index_prefix}-*", ignore_unavailable=True, **body)
        )
        return dict(answer)

    def delete_index(self, name: str) -> bool:
        """Delete one daily index by its exact name. Returns False if it does not exist.

        Raises:
            ValueError: not the name of a daily index; patterns are never accepted.
        """
        if not name.startswith(f"{self._settings.index_prefix}-") or any(sign in name for sign in "*,?"):
            msg = f"{name!r} is not the name of a daily index"
            raise ValueError(msg)
        try:
            self._patiently(lambda: self._client.indices.delete(index=name))
        except NotFoundError:
            return False
        return True

    def _owned(self, documents: Sequence[dict[str, Any]], positions: Sequence[int]) -> set[int]:
        """Return which of the conflicting documents are owned by their own record."""
        prefix = self._settings.index_prefix
        docs = [
            {
                "_index": index_name(prefix, documents[position]["created_at"]),
                "_id": documents[position]["tweet_id"],
                "_source": ["raw_partition", "raw_offset"],
            }
            for position in positions
        ]
        answer = self._patiently(lambda: self._client.mget(docs=docs))
        owned = set()
        for position, found in zip(positions, answer["docs"], strict=True):
            if not found.get("found"):
                msg = f"document {found['_id']} disappeared while it was being written"
                raise RetryableError(msg)
            mine = documents[position]
            source = found["_source"]
            if (source["raw_partition"], source["raw_offset"]) == (mine["raw_partition"], mine["raw_offset"]):
                owned.add(position)
        return owned

    def _bulk(
        self, action: str, documents: Sequence[dict[str, Any]], positions: Sequence[int]
    ) -> list[tuple[int, int, str]]:
        """Send documents and return (position, status, error) of each."""
        chunks = (positions[start : start + BULK_DOCUMENTS] for start in range(0, len(positions), BULK_DOCUMENTS))
        return [item for chunk in chunks for item in self._bulk_chunk(action, documents, chunk)]

    def _bulk_chunk(
        self, action: str, documents: Sequence[dict[str, Any]], positions: Sequence[int]
    ) -> list[tuple[int, int, str]]:
        """Send one request, and retry the documents that Elasticsearch was too busy for."""
        waiting = list(positions)
        done: list[tuple[int, int, str]] = []

        def send() -> None:
            body = self._bulk_body(action, [documents[position] for position in waiting])
            answer = self._once(partial(self._client.bulk, operations=cast("Any", body)))
            items = [item[action] for item in answer["items"]]
            if len(items) != len(waiting):
                raise self._unavailable(f"its bulk API returned {len(items)} items for {len(waiting)} documents")
            busy = [position for position, item in zip(waiting, items, strict=True) if item["status"] in _RETRY_STATUS]
            done.extend(
                (position, item["status"], _reason(item))
                for position, item in zip(waiting, items, strict=True)
                if item["status"] not in _RETRY_STATUS
            )
            waiting[:] = busy
            if busy:
                raise self._unavailable(f"{len(busy)} documents: {_reason(items[-1]) or 'busy'}")

        self._retries.run(send)
        return done

    def _bulk_body(self, action: str, documents: Sequence[dict[str, Any]]) -> bytes:
        prefix = self._settings.index_prefix
        lines: list[bytes] = []
        for document in documents:
            head = {action: {"_index": index_name(prefix, document["created_at"]), "_id": document["tweet_id"]}}
            lines += [_json(head)] if action == "delete" else [_json(head), _json(document)]
        return b"\n".join(lines) + b"\n"

    def _patiently(self, call: Callable[[], Any]) -> Any:
        return self._retries.run(lambda: self._once(call))

    def _once(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (TransportConnectionError, ConnectionTimeout) as error:
            raise self._unavailable(f"no connection ({type(error).__name__})") from error
        except NotFoundError:
            raise
        except ApiError as error:
            if error.status_code == 401:
                msg = f"ELASTICSEARCH_USERNAME/PASSWORD/API_KEY: {self._settings.url} rejected the credentials"
                raise ConfigurationError(msg) from None
            if error.status_code not in _RETRY_STATUS:
                raise
            raise self._unavailable(f"HTTP {error.status_code}") from error

    def _unavailable(self, reason: str) -> RetryableError:
        return RetryableError(f"Elasticsearch at {self._settings.url}: {reason}")


def elasticsearch_client(settings: ElasticsearchSettings) -> Elasticsearch:
    """Return the official client, without its retries: this store retries itself and sees every outcome."""
    key, password = settings.api_key.get_secret_value(), settings.password.get_secret_value()
    return Elasticsearch(
        settings.url,
        api_key=key or None,
        basic_auth=(settings.username, password) if settings.username and not key else None,
        request_timeout=30,
        max_retries=0,
        retry_on_timeout=False,
    )


def _written(status: int, error: str) -> Written:
    if "index_not_found" in error:
        msg = f"Elasticsearch did not create a daily index; allow it in action.auto_create_index ({error})"
        raise ConfigurationError(msg)
    return Written(Outcome.OWNED) if status < 300 else Written(Outcome.REJECTED, f"HTTP {status}: {error}")


def _reason(item: dict[str, Any]) -> str:
    error = item.get("error") or {}
    cause = error.get("caused_by") or {}
    return f"{error.get('type', '')}: {cause.get('reason') or error.get('reason', '')}"[:300] if error else ""


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
