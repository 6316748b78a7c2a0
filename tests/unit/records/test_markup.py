"""Links, mentions, hashtags and emoji in plain text, as a person and as Twitter see them."""

from __future__ import annotations

import re

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from twitter_topics.records import markup


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("no link", []),
        ("see https://example.org/a?b=c#d", ["https://example.org/a?b=c#d"]),
        ("see (https://example.org/a_(b)). And www.example.org/,", ["https://example.org/a_(b)", "www.example.org/"]),
        ("HTTPS://Example.org!", ["HTTPS://Example.org"]),
        ("「https://example.org/a」東京", ["https://example.org/a"]),
        ("https://t.co/a https://t.co/a", ["https://t.co/a", "https://t.co/a"]),
        ("foo.www.example.org bob@www.example.org", []),
    ],
)
def test_links_end_where_the_sentence_goes_on(text: str, links: list[str]) -> None:
    assert markup.find_links(text) == links


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("#storm and (#rain), #Wind!", ["storm", "rain", "Wind"]),
        ("#1 #2026 #1st #covid19", ["1st", "covid19"]),
        ("a#b &#39; &#8211; /#c", ["c"]),
        ("＃東京 #café #हिन्दी #می‌خواهم #日本・米国", ["東京", "café", "हिन्दी", "می\u200cخواهم", "日本・米国"]),
        ("#a#b #x://y #_ #️⃣ #⃣", []),
        ("#sun☀️ #rain's", ["sun", "rain"]),
        ("it's #1 in the charts, C# is no hashtag", []),
    ],
)
def test_hashtags_follow_the_rules_of_twitter(text: str, tags: list[str]) -> None:
    assert markup.find_hashtags(text) == tags


@pytest.mark.parametrize(
    ("network", "text", "mentions"),
    [
        ("twitter", "hi @bob, RT @ana: RT@cy (@dan) .@eve 東京@fay ＠gus", "bob ana cy dan eve fay gus"),
        ("twitter", "mail bob@example.org, @über, a/@b, @x@y", ""),
        ("twitter", "@made_up.bsky", "made_up"),
        ("mastodon", "hi @ana@other.example, @bo @c.d@e.example:3000.", "ana@other.example bo c.d@e.example:3000"),
        ("mastodon", "mail bob@example.org", ""),
        ("bluesky", "hi @made-up.bsky.social. and @x.example", "made-up.bsky.social x.example"),
        ("bluesky", "mail bob@example.org, @bob", ""),
    ],
)
def test_mentions_are_those_of_the_network(network: str, text: str, mentions: str) -> None:
    assert [name.lstrip("@＠") for name in markup.find_mentions(text, network)] == mentions.split()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("plain text, 12 # *", 0),
        ("naïve “quotes” — and ★ © ™", 0),
        ("😀😀", 2),
        ("👨‍👩‍👧‍👦", 1),
        ("🇩🇪🇫🇷", 2),
        ("👍🏽👍", 2),
        ("1️⃣ 2⃣", 2),
        ("❤️ ❤ ☕ ☎\ufe0e", 3),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿 🏳️‍🌈", 2),
        ("👩🏽‍❤️‍💋‍👨🏾 🤷🏽‍♀️ 🧑‍⚕️", 3),
        ("⏰ ©️", 2),
    ],
)
def test_emoji_are_counted_as_a_person_counts(text: str, count: int) -> None:
    assert markup.count_emoji(text) == count


def test_each_emoji_of_unicode_is_one() -> None:
    shown = regex.compile(r"\p{Emoji_Presentation}")
    alone = [chr(code) for code in range(0x80, 0x20000) if shown.fullmatch(chr(code)) and not 0x1F1E6 <= code < 0x1F200]
    assert len(alone) > 1_000
    assert [one for one in alone if markup.count_emoji(one) != 1] == []
    assert [one for one in alone if markup.count_emoji(f"{one} {one}") != 2] == []


def test_pictures_are_emoji_with_and_without_their_selector() -> None:
    shown = regex.compile(r"[\u2300-\u23ff\u2600-\u27bf\U0001f000-\U0001faff&&\p{Emoji}]", regex.V1)
    pictures = [chr(code) for code in range(0x2300, 0x1FB00) if shown.fullmatch(chr(code))]
    assert {*"🕊🗳🎙🛍☂❤⌨🅰"} <= set(pictures)
    assert [one for one in pictures if markup.count_emoji(f"{one} a {one}\ufe0f") != 2] == []
    assert markup.count_emoji("🕊\ufe0e ☎\ufe0e → ▪ 🕊") == 1


def test_each_character_that_may_be_an_emoji_is_looked_at() -> None:
    for code in range(0x80, 0x110000):
        for shown in (chr(code), f"{chr(code)}\ufe0f"):
            assert markup.count_emoji(shown) == len(markup._EMOJI.findall(shown)), hex(code)


def test_own_emoji_of_a_server_have_names() -> None:
    pattern = markup.shortcode_pattern(("cat", "cat_party", "a.b"))
    assert pattern.findall(":cat: :cat_party: :a.b: :axb: :dog:") == [":cat:", ":cat_party:", ":a.b:"]


@given(st.text(alphabet=st.characters() | st.sampled_from("#@:/. \u200d\ufe0f\u20e3🇩😀👍🏽aé東"), max_size=60))
def test_what_is_found_is_in_the_text(text: str) -> None:
    found = [*markup.find_links(text), *markup.find_hashtags(text), *markup.find_mentions(text, "twitter")]
    assert all(one in text for one in found)
    assert 0 <= markup.count_emoji(text) <= len(text)
    assert not re.search("https?://[!-~]", markup.without_links(text))
