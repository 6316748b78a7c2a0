"""Turns the HTML of a status into plain text and its links."""

from __future__ import annotations

import re
from collections.abc import Collection
from html import unescape
from html.parser import HTMLParser
from typing import NamedTuple

MAX_CHARACTERS = 200_000
"""How much of a status is read; servers allow 500 to about 100,000."""

_TAG = re.compile(r"<[^>]*>?")
_SPACE = re.compile(r"[^\S\n]+")
_BLANK = re.compile(r"\n{3,}")
_BLOCKS = frozenset({"p", "ul", "ol", "blockquote", "pre", "h1", "h2", "h3", "h4", "h5", "h6"})
_QUOTE = "quote-inline"
"""Class of the element with `RE: <link>`, for programs that cannot show a quote."""

_OWN_LINKS = frozenset({"mention", "hashtag", "tag"})
"""Words in the class of a link, or in its `rel` (Misskey has no class)."""

_ADDRESS = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)


class Link(NamedTuple):
    """A link, and the characters of the text that show it, if they are its address and no words."""

    href: str
    indices: tuple[int, int] | None = None


def plain_text(html: str, mentioned: Collection[str] = ()) -> tuple[str, list[Link]]:
    """Return the text, with a blank line between paragraphs, and its links, except those of hashtags and mentions.

    Args:
        mentioned: addresses of the accounts that the status mentions.
    """
    html = html[:MAX_CHARACTERS]
    reader = _TextExtractor(mentioned)
    try:
        reader.feed(html)
        reader.close()
    except (AssertionError, ValueError, IndexError):  # html.parser rejects some marked sections
        return unescape(_TAG.sub(" ", html)).strip(), []
    text = _SPACE.sub(" ", "".join(reader.fragments)).replace(" \n", "\n").replace("\n ", "\n")
    text = _BLANK.sub("\n\n", text).strip()
    return text, _placed(reader.links, text)


def _placed(links: list[tuple[str, str]], text: str) -> list[Link]:
    """Return each link once, with its place; `links` are pairs of an address and the text that shows it, in order."""
    found: dict[str, Link] = {}
    at = 0
    for href, shown in links:
        first = text.find(shown, at) if _ADDRESS.fullmatch(shown) else -1
        if first >= 0:
            at = first + len(shown)
        found.setdefault(href, Link(href, (first, at) if first >= 0 else None))
    return list(found.values())


class _TextExtractor(HTMLParser):
    def __init__(self, mentioned: Collection[str]) -> None:
        super().__init__(convert_charrefs=True)
        self.fragments: list[str] = []
        self.links: list[tuple[str, str]] = []
        self._mentioned = mentioned
        self._begun: tuple[str, int] | None = None  # the open link, and how many fragments are before its text
        self._hidden = 0
        self._quote: list[str] = []  # the open element of a quote, and those of its kind within it

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self._quote.clear()
        if tag in self._quote or _QUOTE in _words(dict(attrs), "class"):
            self._quote.append(tag)
        if self._quote:
            return
        if tag in {"script", "style"}:
            self._hidden += 1
        elif tag in {"br", "li"}:
            self.fragments.append("\n")
        elif tag in _BLOCKS:
            self.fragments.append("\n\n")
        elif tag == "a":
            given = dict(attrs)
            href = given.get("href") or ""
            own = href in self._mentioned or not _OWN_LINKS.isdisjoint(_words(given, "class") + _words(given, "rel"))
            self._end_link()
            if href.startswith(("http://", "https://")) and not own:
                self._begun = href, len(self.fragments)

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._quote.clear()
        elif tag in self._quote:
            self._quote.pop()
        if tag == "a":
            self._end_link()
        elif tag in {"script", "style"}:
            self._hidden = max(0, self._hidden - 1)
        elif tag in _BLOCKS:
            self.fragments.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden and not self._quote:
            self.fragments.append(data.replace("\n", " "))

    def close(self) -> None:
        """Read the rest, and end what is open."""
        super().close()
        self._end_link()

    def _end_link(self) -> None:
        if self._begun is not None:
            href, at = self._begun
            self.links.append((href, "".join(self.fragments[at:]).strip()))
            self._begun = None


def _words(attributes: dict[str, str | None], name: str) -> list[str]:
    return (attributes.get(name) or "").split()
