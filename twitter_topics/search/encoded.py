"""A document as the bytes of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec import Raw
from msgspec.json import decode, encode

from twitter_topics.records.processed import processed_value


class EncodedDocument(NamedTuple):
    """A document of the mapping in search.index.

    Some thousand documents wait for Elasticsearch at a time. As bytes each is one object; decoded it is fifty, which
    the garbage collector searches again and again.
    """

    tweet_id: str
    created_at: int
    """Event time in Unix milliseconds."""
    body: bytes = b""
    """Not needed to delete it."""
    counted: bytes = b""
    """The value of `processed_tweets`, which the document also holds."""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> EncodedDocument:
        """Encode a document."""
        counted = processed_value(document["counted"]) if "counted" in document else b""
        body = encode({**document, "counted": Raw(counted)} if counted else document)
        return cls(document["tweet_id"], document["created_at"], body, counted)

    def fields(self) -> dict[str, Any]:
        """Return the document."""
        fields: dict[str, Any] = decode(self.body)
        return fields
