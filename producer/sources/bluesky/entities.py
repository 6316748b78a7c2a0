"""Facets and embeds of a post as v1.1 entities.

https://docs.bsky.app/docs/advanced-guides/post-richtext: a facet marks a range of the text, in UTF-8 bytes, as a link,
a mention or a tag.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MAX_FACETS = 100
"""Further ones are ignored: no real post has that many, and each costs a pass over the text."""

_FACET = "app.bsky.richtext.facet#"


def entities(text: str, record: dict[str, Any], did: str, page: str) -> dict[str, list[dict[str, Any]]]:
    """Return hashtags, urls, user_mentions and media of a post. `page` is its address for a browser."""
    found: dict[str, list[dict[str, Any]]] = {"hashtags": [], "urls": [], "user_mentions": []}
    for feature, shown, indices in _features(text, record.get("facets")):
        kind, value = feature.get("$type"), None
        if kind == f"{_FACET}tag" and isinstance(value := feature.get("tag"), str):
            found["hashtags"].append({"text": value.lstrip("#＃"), "indices": indices})
        elif kind == f"{_FACET}link" and isinstance(value := feature.get("uri"), str):
            found["urls"].append({"url": shown or value, "expanded_url": value, "indices": indices})
        elif kind == f"{_FACET}mention" and isinstance(value := feature.get("did"), str):
            name = shown.removeprefix("@") or value
            mention = {"id_str": f"bluesky:{value}", "screen_name": name, "name": name, "indices": indices}
            found["user_mentions"].append(mention)
    found["hashtags"] += [{"text": tag.lstrip("#＃")} for tag in _items(record.get("tags"), str)]
    media = _media(record.get("embed"))
    link = _text(_dict(media.get("external")).get("uri"))
    if link and all(url["expanded_url"] != link for url in found["urls"]):
        found["urls"].append({"url": link, "expanded_url": link})
    photos = [_photo(image, did, page) for image in _items(media.get("images"), dict)]
    return found | ({"media": photos} if photos else {})


def quoted_uri(record: dict[str, Any]) -> str:
    """Return the at:// address of the record that a post quotes; empty for none."""
    embed = _dict(record.get("embed"))
    quoted = _dict(embed.get("record"))
    return _text(quoted.get("uri")) or _text(_dict(quoted.get("record")).get("uri"))


def _media(embed: Any) -> dict[str, Any]:
    """Return the part of an embed with pictures or a link; next to a quote it is one level deeper."""
    embed = _dict(embed)
    return _dict(embed.get("media")) or embed


def _features(text: str, facets: Any) -> Iterator[tuple[dict[str, Any], str, list[int]]]:
    """Yield each feature, the text it marks and its range in characters."""
    valid = _items(facets, dict)[:MAX_FACETS]
    content = text.encode() if valid else b""
    for facet in valid:
        index = _dict(facet.get("index"))
        start, end = index.get("byteStart"), index.get("byteEnd")
        if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start <= end <= len(content):
            continue
        first = len(content[:start].decode("utf-8", "ignore"))
        shown = content[start:end].decode("utf-8", "ignore")
        for feature in _items(facet.get("features"), dict)[:MAX_FACETS]:
            yield feature, shown, [first, first + len(shown)]


def _photo(image: dict[str, Any], did: str, page: str) -> dict[str, Any]:
    link = _text(_dict(_dict(image.get("image")).get("ref")).get("$link"))
    photo = {"type": "photo", "expanded_url": page, "ext_alt_text": _text(image.get("alt"))}
    if link:
        photo["media_url_https"] = f"https://cdn.bsky.app/img/feed_fullsize/plain/{did}/{link}@jpeg"
    return photo


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _items(value: Any, kind: type) -> list[Any]:
    return [item for item in value if isinstance(item, kind)] if isinstance(value, list) else []
