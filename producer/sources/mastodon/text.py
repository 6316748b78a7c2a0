"""Turns the HTML of a status into plain text and its links."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

MAX_CHARACTERS = 200_000
"""How much of a status is read; servers allow 500 to about 100,000."""

_TAG = re.compile(r"<[^>]*>?")
_SPACE = re.compile(r"[^\S\n]+")
_BLANK = re.compile(r"\n{3,}")
_BLOCKS = frozenset({"p", "ul", "ol", "blockquote", "pre", "h1", "h2", "h3", "h4", "h5", "h6"})
_QUOTE = "quote-inline"
"""Class of the element with `RE: <link>`, for programs that cannot show a quote."""

_OWN_LINKS = frozenset({"mention", "hashtag"})


def plain_text(html: str) -> tuple[str, list[str]]:
    """Return the text, with a blank line between paragraphs, and its links (except those of mentions and hashtags)."""
    html = html[:MAX_CHARACTERS]
    reader = _TextExtractor()
    try:
        reader.feed(html)
        reader.close()
    except (AssertionError, ValueError, IndexError):  # html.parser rejects some marked sections
        return unescape(_TAG.sub(" ", html)).strip(), []
    text = _SPACE.sub(" ", "".join(reader.fragments)).replace(" \n", "\n").replace("\n ", "\n")
    return _BLANK.sub("\n\n", text).strip(), list(dict.fromkeys(reader.links))


class _TextExtractor(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.fragments: list[str] = []
        self.links: list[str] = []
        self._hidden = 0
        self._quote: list[str] = []  # the open element of a quote, and those of its kind within it

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self._quote.clear()
        if tag in self._quote or _QUOTE in _classes(dict(attrs)):
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
            if href.startswith(("http://", "https://")) and _OWN_LINKS.isdisjoint(_classes(given)):
                self.links.append(href)

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._quote.clear()
        elif tag in self._quote:
            self._quote.pop()
        if tag in {"script", "style"}:
            self._hidden = max(0, self._hidden - 1)
        elif tag in _BLOCKS:
            self.fragments.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden and not self._quote:
            self.fragments.append(data.replace("\n", " "))


def _classes(attributes: dict[str, str | None]) -> list[str]:
    return (attributes.get("class") or "").split()
