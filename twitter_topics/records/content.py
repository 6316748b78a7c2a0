"""What a post says: its text, its hashtags, mentions, links and emoji, and its language. All layers use this code.

A post may carry its text in several places, and what its source has found in it (`entities`) beside each of them. Only
the entities of the text that is read are used; where there are none, the text itself is searched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import unescape
from typing import Any
from unicodedata import normalize

from twitter_topics.records import markup
from twitter_topics.records.language import Language, language_of
from twitter_topics.records.tweet import TWITTER, own_text

_HTML_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_STATUS = re.compile(r"https?://(?:www\.|mobile\.)?(?:twitter|x)\.com/(?:i/web|[^/]+)/status(?:es)?/(\d+)", re.ASCII)


class Content:
    """The content of a v1.1 object. Reading it never raises, whatever the object holds.

    `text` is what a person reads: whole, of the original if the post repeats one, and with `&lt;` as `<`. `prose` is
    the text without what is not language: links, mentions and a server's own emoji. Topics are found in it.
    """

    __slots__ = ("_body", "_entities", "_found_links", "_language", "_network", "_speaking", "prose", "text")

    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body
        network = body.get("source_network")
        self._network = network if isinstance(network, str) else TWITTER
        self._speaking = _speaking(body)
        text, self._entities = _text_and_entities(self._speaking)
        if self._network == TWITTER:
            self.text = as_read(text)
            self.prose = self.text  # the rules of words drop its links and mentions
        else:
            self.text = text
            self.prose = self._find_prose()
        self._language: Language | None = None
        self._found_links: tuple[list[dict[str, Any]], list[str]] | None = None

    @property
    def language(self) -> Language:
        """The language of the text."""
        if self._language is None:
            self._language = language_of(self._speaking.get("lang") or self._body.get("lang"), self.prose)
        return self._language

    @property
    def hashtags(self) -> list[str]:
        """Without the sign, each one once, however it is written."""
        listed = [one.get("text") or one.get("tag") for one in self._objects("hashtags")]
        found = [name for tag in listed if isinstance(tag, str) and (name := tag.lstrip("#＃"))]
        if not found:
            found = markup.find_hashtags(self.text)
        return _once(map(_folded, found)) if found else found

    @property
    def links(self) -> list[str]:
        """Each link once, as a reader sees it: expanded where the source says so."""
        marked, written = self._links()
        expanded = [url.get("expanded_url") or url.get("url") for url in marked]
        return _once(link for link in expanded if isinstance(link, str) and link) or _once(written)

    @property
    def url_count(self) -> int:
        """Links, repeated ones too."""
        marked, written = self._links()
        return max(len(marked), len(written))

    @property
    def mention_count(self) -> int:
        """Mentions, repeated ones too."""
        listed = len(self._objects("user_mentions"))
        return listed or len(markup.find_mentions(self.text, self._network))

    @property
    def emoji_count(self) -> int:
        """Emoji as a person counts them."""
        codes = self._shortcodes()
        own = len(markup.shortcode_pattern(codes).findall(self.text)) if codes else 0
        return own + markup.count_emoji(self.text)

    def _find_prose(self) -> str:
        text = self._without_marked("urls", "user_mentions")
        text = markup.without_mentions(markup.without_links(text), self._network)
        codes = self._shortcodes()
        return markup.shortcode_pattern(codes).sub(" ", text) if codes else text

    def _links(self) -> tuple[list[dict[str, Any]], list[str]]:
        if self._found_links is None:
            self._found_links = self._find_links()
        return self._found_links

    def _find_links(self) -> tuple[list[dict[str, Any]], list[str]]:
        """Return the links that the source has marked, and those in the text; without X's own and without media."""
        listed, written = self._objects("urls"), markup.find_links(self.text)
        marked = [url for url in listed if not self._is_own(url)]
        if written:
            hidden = [url.get("url") for url in (*listed, *self._objects("media")) if url not in marked]
            written = [link for link in written if link not in hidden]
        return marked, written

    def _is_own(self, url: dict[str, Any]) -> bool:
        """Whether it is X's own link to this post, or to the one that it quotes, which a reader does not see as one."""
        expanded = url.get("expanded_url")
        match = _STATUS.match(expanded) if isinstance(expanded, str) and "/status" in expanded else None
        if match is None:
            return False
        posts = (self._body, self._speaking)
        ids = {str(post.get(name)) for post in posts for name in ("id_str", "id", "quoted_status_id_str")}
        histories = [post.get("edit_history_tweet_ids") for post in posts]  # an edit's link names its own id
        return match[1] in ids or any(isinstance(one, list) and match[1] in one for one in histories)

    def _shortcodes(self) -> tuple[str, ...]:
        codes = [one.get("shortcode") for one in self._objects("emojis")]
        return tuple(sorted({code for code in codes if isinstance(code, str) and code}))

    def _without_marked(self, *kinds: str) -> str:
        """The text with a space in place of what `indices`, in characters, mark. They may overlap."""
        text = self.text
        marked = [one.get("indices") for kind in kinds for one in self._objects(kind)]
        kept, at = [], 0
        for first, end in sorted(span for one in marked if (span := _span(one, len(text)))):
            if first >= at:
                kept.append(text[at:first])
            at = max(at, end)
        return " ".join([*kept, text[at:]])

    def _objects(self, kind: str) -> list[dict[str, Any]]:
        listed = self._entities.get(kind)
        if not listed or not isinstance(listed, list):
            return []
        return [one for one in listed if isinstance(one, dict)]


def _speaking(body: dict[str, Any]) -> dict[str, Any]:
    """Return the object whose text is read: the original that a retweet repeats, where it is there."""
    retweeted = body.get("retweeted_status")
    while isinstance(retweeted, dict) and _has_text(retweeted):
        body, retweeted = retweeted, retweeted.get("retweeted_status")  # JSON can nest deeper than Python's stack
    return body


def _has_text(body: dict[str, Any]) -> bool:
    return own_text(body) is not None or isinstance(_object(body, "extended_tweet").get("full_text"), str)


def _text_and_entities(body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the whole text, and what the source has found in it."""
    extended, entities = _object(body, "extended_tweet"), _object(body, "entities")
    whole = extended.get("full_text")
    if isinstance(whole, str) and whole:
        return whole, _object(extended, "entities") or entities
    return own_text(body) or "", entities


def _object(body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def as_read(text: str) -> str:
    """Decode HTML entities, once: Twitter's APIs send `&`, `<` and `>` as such."""
    if "&" not in text:
        return text
    return _HTML_ENTITY.sub(lambda match: unescape(match[0]), text)


def _folded(name: str) -> str:
    """Return one form of all that are the same name to a reader: `istanbul` of `İSTANBUL`, `café` whether é is one
    character or two, `abc` of `ＡＢＣ`."""
    if name.isascii():
        return name.lower()
    return normalize("NFKC", name).lower().replace("i\u0307", "i")


def _once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _span(indices: Any, length: int) -> tuple[int, int] | None:
    if not isinstance(indices, list) or len(indices) != 2 or not all(type(one) is int for one in indices):
        return None
    first, end = indices
    return (first, end) if 0 <= first < end <= length else None
