"""A search store in memory that passes the tests of the real one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twitter_topics.search.encoded import EncodedDocument
from twitter_topics.search.faults import NotWrittenError
from twitter_topics.search.index import MAPPINGS, index_name
from twitter_topics.search.ownership import Outcome, Written, resolve


def encoded(*documents: dict[str, Any]) -> list[EncodedDocument]:
    """Return documents as a store takes them."""
    return [EncodedDocument.of(document) for document in documents]


class MemorySearchStore:
    """Keeps the promises of twitter_topics.search.store.SearchStore, for one process."""

    def __init__(self, prefix: str = "tweets") -> None:
        self._prefix = prefix
        self._days: dict[str, dict[str, dict[str, Any]]] = {}

    def prepare(self) -> None:
        """Do nothing: there is nothing to prepare."""

    def create(self, documents: Sequence[EncodedDocument]) -> list[Written]:
        """The first record with an id owns it; a repeat of it changes nothing, any other record is a duplicate."""
        return [self._create(one.fields(), one.counted) for one in documents]

    def _create(self, document: dict[str, Any], counted: bytes) -> Written:
        unknown = document.keys() - MAPPINGS["properties"].keys()
        if unknown:
            raise NotWrittenError(f"HTTP 400: strict_dynamic_mapping_exception: {sorted(unknown)}")
        if not isinstance(document["topic_id"], int):
            return Written(Outcome.REJECTED, "HTTP 400: document_parsing_exception: failed to parse field [topic_id]")
        day = self._days.setdefault(index_name(self._prefix, document["created_at"]), {})
        held = day.get(document["tweet_id"])
        written, rewrite = resolve(document, held) if held else (Written(Outcome.OWNED, counted=counted), document)
        if rewrite is not None:
            day[document["tweet_id"]] = rewrite
        return written

    def delete(self, tweets: Sequence[tuple[str, int]]) -> int:
        """Delete documents by (tweet id, event time in Unix milliseconds). Returns how many were there."""
        days = (self._days.get(index_name(self._prefix, event_time_ms), {}) for _, event_time_ms in tweets)
        return sum(day.pop(tweet_id, None) is not None for (tweet_id, _), day in zip(tweets, days, strict=True))

    def daily_indices(self) -> dict[str, int]:
        """Return the number of documents in each daily index, by name."""
        return {name: len(documents) for name, documents in sorted(self._days.items())}

    def count(self, query: None = None, *, index: str = "") -> int:  # noqa: ARG002 - queries are the real store's business
        """Return the number of documents over all days, or in one index."""
        return sum(count for name, count in self.daily_indices().items() if index in ("", name))

    def model_versions(self) -> set[str]:
        """Return the model versions that documents name."""
        documents = [document for day in self._days.values() for document in day.values()]
        named = (document.get(name) for document in documents for name in ("model_version", "counted_model_version"))
        return {version for version in named if version}

    def delete_index(self, name: str) -> bool:
        """Delete one daily index by its exact name; return False if it does not exist."""
        if not name.startswith(f"{self._prefix}-") or any(sign in name for sign in "*,?"):
            msg = f"{name!r} is not the name of a daily index"
            raise ValueError(msg)
        return self._days.pop(name, None) is not None
