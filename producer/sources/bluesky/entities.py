"""Facets and embeds of a post as v1.1 entities.

https://docs.bsky.app/docs/advanced-guides/post-richtext: a facet marks a range of the text, in UTF-8 bytes, as a link,
a mention or a tag.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from producer.receiving.fields import as_list, as_object, as_text, objects

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
    found["hashtags"] += [{"text": tag.lstrip("#＃")} for tag in as_list(record.get("tags")) if isinstance(tag, str)]
    media = _media(record.get("embed"))
    link = as_text(as_object(media.get("external")).get("uri"))
    if link and all(url["expanded_url"] != link for url in found["urls"]):
        found["urls"].append({"url": link, "expanded_url": link})
    photos = [_photo(image, did, page) for image in objects(media.get("images"))]
    return found | ({"media": photos} if photos else {})


def quoted_uri(record: dict[str, Any]) -> str:
    """Return the at:// address of the record that a post quotes; empty for none."""
    embed = as_object(record.get("embed"))
    quoted = as_object(embed.get("record"))
    return as_text(quoted.get("uri")) or as_text(as_object(quoted.get("record")).get("uri"))


def _media(embed: Any) -> dict[str, Any]:
    """Return the part of an embed with pictures or a link; next to a quote it is one level deeper."""
    embed = as_object(embed)
    return as_object(embed.get("media")) or embed


def _features(text: str, facets: Any) -> Iterator[tuple[dict[str, Any], str, list[int]]]:
    """Yield each feature, the text it marks and its range in characters."""
    valid = objects(facets)[:MAX_FACETS]
    content = text.encode() if valid else b""
    for facet in valid:
        index = as_object(facet.get("index"))
        start, end = index.get("byteStart"), index.get("byteEnd")
        if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start <= end <= len(content):
            continue
        first = len(content[:start].decode("utf-8", "ignore"))
        shown = content[start:end].decode("utf-8", "ignore")
        for feature in objects(facet.get("features"))[:MAX_FACETS]:
            yield feature, shown, [first, first + len(shown)]


def _photo(image: dict[str, Any], did: str, page: str) -> dict[str, Any]:
    link = as_text(as_object(as_object(image.get("image")).get("ref")).get("$link"))
    photo = {"type": "photo", "expanded_url": page, "ext_alt_text": as_text(image.get("alt"))}
    if link:
        photo["media_url_https"] = f"https://cdn.bsky.app/img/feed_fullsize/plain/{did}/{link}@jpeg"
    return photo
