"""Links, mentions, hashtags and emoji in plain text, for posts whose source has not marked them.

Hashtags and mentions follow Twitter's own rules: https://github.com/twitter/twitter-text.
"""

from __future__ import annotations

import re
from functools import cache

import regex

_LINK = re.compile(r"(?:[Hh][Tt][Tt][Pp][Ss]?://|(?<![\w@.])(?:www|WWW)[.])[!-~]+")
_AFTER_LINK = ".,;:!?'\"*_"
_CLOSING = {")": "(", "]": "[", "}": "{", ">": "<"}

_AT = r"[@＠](?:(?<![A-Za-z0-9_!#$%&*@＠/][@＠])|(?<=\b[Rr][Tt][@＠]))"  # the sign first: it is quick to search for
_MENTIONS = {
    "bluesky": re.compile(r"@(?<![\w@./-]@)(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?[.])+[A-Za-z][A-Za-z0-9-]*"),
    "mastodon": re.compile(r"@(?<![\w@/.-]@)\w(?:[\w.-]*\w)?(?:@[A-Za-z0-9-]+(?:[.:][A-Za-z0-9-]+)*)?", re.ASCII),
}
_MENTION = re.compile(_AT + r"[A-Za-z0-9_]++(?![@＠À-ÖØ-öø-ɏ]|://)")

_TAG_EXTRAS = "_\u200c\u200d\ua67e\u05be\u05f3\u05f4\uff5e\u301c\u309b\u309c\u30a0\u30fb\u3003\u0f0b\u0f0c\u00b7"
_HASHTAG = regex.compile(
    rf"(?<![&\p{{L}}\p{{M}}\p{{Nd}}{_TAG_EXTRAS}])[#＃](?!\ufe0f|\u20e3)"
    rf"((?=[\p{{Nd}}{_TAG_EXTRAS}]*[\p{{L}}\p{{M}}])[\p{{L}}\p{{M}}\p{{Nd}}{_TAG_EXTRAS}]++)(?![#＃]|://|…\s*$)"
)

_TAGS, _END_OF_TAGS = "[\U000e0020-\U000e007e]", "\U000e007f"
_PICTURES = r"[\u2300-\u23ff\u2600-\u27bf\U0001f000-\U0001faff&&\p{Emoji}]"
"""Also without U+FE0F, which keyboards and programs leave out."""

_ONE_EMOJI = (
    rf"(?:\p{{Emoji_Presentation}}|{_PICTURES}(?!\ufe0e)|[\p{{Emoji}}--\p{{ASCII}}]\ufe0f)"
    rf"(?:\p{{Emoji_Modifier}}|\ufe0f)?(?:{_TAGS}+{_END_OF_TAGS})?"
)
_EMOJI = regex.compile(
    r"(?=\p{Emoji})"  # one look at what is none
    rf"(?:\p{{RI}}\p{{RI}}|[0-9#*]\ufe0f?\u20e3|{_ONE_EMOJI}(?:\u200d(?:{_ONE_EMOJI}|\p{{Extended_Pictographic}}\ufe0f?))*)",
    regex.V1,
)

_may_have_emoji = re.compile("[\xa9\xae\u203c-\U0010ffff]").search


def find_links(text: str) -> list[str]:
    """Return the links of a text in order, without the punctuation of the sentence around them."""
    return [_trimmed(link) for link in _LINK.findall(text)] if _may_have_links(text) else []


def without_links(text: str) -> str:
    """Return the text with a space in place of each link."""
    return _LINK.sub(" ", text) if _may_have_links(text) else text


def find_mentions(text: str, network: str) -> list[str]:
    """Return the mentions in a text outside its links, with their sign: `@ana`; on Mastodon `@ana@other.example`, on
    Bluesky `@ana.example.org`. An e-mail address is none."""
    return _mention(network).findall(without_links(text)) if "@" in text or "＠" in text else []


def without_mentions(text: str, network: str) -> str:
    """Return the text with a space in place of each mention."""
    return _mention(network).sub(" ", text) if "@" in text or "＠" in text else text


def find_hashtags(text: str) -> list[str]:
    """Return the hashtags in a text outside its links, without their sign. Numbers alone are none, nor is what a cut
    has left of one: it ends the text, before …."""
    return list(_HASHTAG.findall(without_links(text))) if "#" in text or "＃" in text else []


def count_emoji(text: str) -> int:
    """Return the number of emoji as a person counts them: a flag, a family or a thumb with a skin tone is one."""
    if text.isascii() or not _may_have_emoji(text):
        return 0
    return len(_EMOJI.findall(text))


def _may_have_links(text: str) -> bool:
    return "://" in text or "ww." in text or "WW." in text  # most texts have none, and the expression is slow


def _mention(network: str) -> re.Pattern[str]:
    return _MENTIONS.get(network, _MENTION)


def _trimmed(link: str) -> str:
    """`https://example.org/a).` → `https://example.org/a`: a bracket that the link does not open belongs outside."""
    while link:
        last = link[-1]
        if last not in _AFTER_LINK and not (last in _CLOSING and link.count(last) > link.count(_CLOSING[last])):
            break
        link = link[:-1]
    return link


@cache
def shortcode_pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    """Return the expression for a server's own emoji, written `:name:`."""
    return re.compile(":(?:" + "|".join(map(re.escape, sorted(names, key=len, reverse=True))) + "):")
