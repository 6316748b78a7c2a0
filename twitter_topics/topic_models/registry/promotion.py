"""A promotion as the registry keeps it, and the champion that it makes."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from twitter_topics.errors import IntegrityError
from twitter_topics.topic_models.registry import json_objects
from twitter_topics.topic_models.registry.version import is_version


@dataclass(frozen=True)
class Promotion:
    """Content of champion.json. `token` is unique to this write; `promoted_at` is ISO 8601, UTC."""

    version: str
    promoted_at: str
    reason: str
    by: str
    previous: str | None
    token: str

    def encoded(self) -> bytes:
        return json_objects.encode(asdict(self))

    def champion(self, etag: str) -> Champion:
        return Champion(self.version, etag, self.promoted_at, self.reason, self.by, self.previous)


@dataclass(frozen=True)
class Champion:
    """The version in production, and the ETag that a later promotion must name."""

    version: str
    etag: str
    promoted_at: str
    reason: str
    by: str
    previous: str | None


def decode(body: bytes, key: str) -> Promotion:
    """Read the object `key`.

    Raises:
        IntegrityError: it is damaged.
    """
    content = json_objects.decode(body, key)
    try:
        promotion = Promotion(**{name: content[name] for name in Promotion.__dataclass_fields__})
    except KeyError as error:
        msg = f"{key} lacks {error}"
        raise IntegrityError(msg) from None
    texts = (promotion.promoted_at, promotion.reason, promotion.by, promotion.token, promotion.previous or "")
    if not isinstance(promotion.version, str) or not is_version(promotion.version):
        msg = f"{key} names {promotion.version!r}, which is not a version"
        raise IntegrityError(msg)
    if not all(isinstance(text, str) for text in texts):
        msg = f"{key} has a value that is not text"
        raise IntegrityError(msg)
    return promotion
