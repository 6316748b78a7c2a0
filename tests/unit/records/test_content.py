"""One function says what a post says, for all sources and both layers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.records.json_values import json_values
from twitter_topics.classification.sentiment import compound
from twitter_topics.records.content import Content

SELF = "https://twitter.com/i/web/status/1990000000000000010"


def urls(*expanded: str) -> dict[str, Any]:
    return {"urls": [{"url": f"https://t.co/{at}", "expanded_url": url} for at, url in enumerate(expanded)]}


def tags(*names: str) -> dict[str, Any]:
    return {"hashtags": [{"text": name} for name in names]}


def test_a_truncated_tweet_has_the_entities_of_its_whole_text() -> None:
    content = Content(
        {
            "text": "River level rising #flood… https://t.co/0",
            "truncated": True,
            "entities": tags("flood") | urls(SELF),
            "extended_tweet": {
                "full_text": "River level rising #flood #evacuation #Millbrook",
                "entities": tags("flood", "evacuation", "Millbrook") | {"urls": []},
            },
        }
    )
    assert content.hashtags == ["flood", "evacuation", "millbrook"]
    assert (content.links, content.url_count) == ([], 0)


def test_a_retweet_has_text_entities_and_language_of_the_original() -> None:
    original = {
        "text": "cut…",
        "lang": "ja",
        "entities": tags("cut"),
        "extended_tweet": {"full_text": "whole #one @a", "entities": tags("one") | urls("https://example.org/a")},
    }
    content = Content({"text": "RT @b: cut…", "lang": "en", "entities": tags("rt"), "retweeted_status": original})
    assert (content.text, content.hashtags, content.links) == ("whole #one @a", ["one"], ["https://example.org/a"])
    assert (content.language.code, content.mention_count) == ("ja", 1)


def test_a_quote_is_not_the_quoted_text() -> None:
    quoted = {"id_str": "5", "text": "theirs", "entities": tags("theirs")}
    body = {"text": "mine", "quoted_status": quoted, "entities": tags()}
    assert (Content(body).text, Content(body).hashtags) == ("mine", [])


@pytest.mark.parametrize(
    "link",
    [
        SELF,
        "https://twitter.com/made_up/status/1990000000000000010",
        "https://x.com/made_up/status/1990000000000000010?s=20",
        "https://mobile.twitter.com/made_up/status/1990000000000000010/photo/1",
        "https://twitter.com/other/status/77",
    ],
)
def test_twitters_own_link_to_the_tweet_or_to_the_quoted_one_is_no_link(link: str) -> None:
    body = {"id_str": "1990000000000000010", "text": "a long one… https://t.co/0", "quoted_status_id_str": "77"}
    content = Content(body | {"entities": urls(link)})
    assert (content.links, content.url_count) == ([], 0)


def test_links_to_other_tweets_count_and_media_do_not() -> None:
    other = "https://twitter.com/other/status/78"
    text = "look https://t.co/0 https://t.co/photo"
    content = Content({"id": 10, "text": text, "entities": urls(other) | {"media": [{"url": "https://t.co/photo"}]}})
    assert (content.links, content.url_count) == ([other], 1)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("I &lt;3 this city", "I <3 this city"),
        ("Tea &amp; cake at the R&amp;D office, 3 &gt; 2", "Tea & cake at the R&D office, 3 > 2"),
        ("It&#39;s raining &#8211; don&#x27;t go", "It's raining – don't go"),
        ("&amp;lt; is how to write &lt;", "&lt; is how to write <"),
        ("AT&T, a=1&copy=2, &unknown; &#99999999;", "AT&T, a=1&copy=2, &unknown; &#99999999;"),
    ],
)
def test_html_entities_are_decoded_once(sent: str, read: str) -> None:
    content = Content({"text": sent})
    assert (content.text, content.hashtags) == (read, [])
    assert Content({"text": sent, "source_network": "mastodon"}).text == sent, "other networks send plain text"


def test_a_heart_is_felt() -> None:
    assert compound(Content({"text": "I &lt;3 this city"}).text) == pytest.approx(0.44, abs=0.005)


def test_without_entities_the_text_is_searched() -> None:
    content = Content({"text": "read https://docs.example.org/guide#install, @bob: #now #1 bob@example.org 👍🏽"})
    assert (content.hashtags, content.links) == (["now"], ["https://docs.example.org/guide#install"])
    assert (content.url_count, content.mention_count, content.emoji_count) == (1, 1, 1)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (["İstanbul", "istanbul", "ISTANBUL", "İSTANBUL"], "istanbul"),
        (["Café", "cafe\u0301", "CAFE\u0301"], "café"),
        (["ＡＢＣ", "abc", "#Abc"], "abc"),
        (["ﾗｰﾒﾝ", "ラーメン"], "ラーメン"),
        (["ΟΔΟΣ", "οδος"], "οδος"),
    ],
)
def test_a_hashtag_is_one_however_it_is_written(written: list[str], name: str) -> None:
    assert Content({"text": "", "entities": tags(*written)}).hashtags == [name]
    assert Content({"text": " ".join(f"#{one.lstrip('#')}" for one in written)}).hashtags == [name]


@pytest.mark.parametrize("end", ["…", "… ", "… https://t.co/0"])
def test_half_a_hashtag_at_the_end_of_a_cut_text_is_none(end: str) -> None:
    content = Content({"text": f"RT @ana: the bridge is #closed… #home #evacu{end}", "entities": {"hashtags": []}})
    assert content.hashtags == ["closed", "home"]


def test_facets_of_bluesky_leave_no_words() -> None:
    text = "Größe: @made-up.bsky.social says news.example.org/2026/11/rep... #garden"
    first, end = text.index("@"), text.index(" says")
    link = text.index("news"), text.index(" #")
    content = Content(
        {
            "text": text,
            "source_network": "bluesky",
            "entities": {
                "hashtags": [{"text": "#garden"}],
                "urls": [{"url": "x", "expanded_url": "https://news.example.org/2026/11/report", "indices": [*link]}],
                "user_mentions": [{"screen_name": "made-up.bsky.social", "indices": [first, end]}],
            },
        }
    )
    assert content.prose.split() == ["Größe:", "says", "#garden"]
    assert (content.hashtags, content.links) == (["garden"], ["https://news.example.org/2026/11/report"])
    assert (content.url_count, content.mention_count) == (1, 1)


@pytest.mark.parametrize(
    "marks",
    [[(4, 22), (4, 22)], [(4, 22), (5, 22)], [(4, 10), (8, 22), (9, 12)], [(4, 10), (10, 22)], [(9, 12), (4, 22)]],
)
def test_marks_that_overlap_take_no_words_with_them(marks: list[tuple[int, int]]) -> None:
    listed = [{"indices": list(one)} for one in marks]
    text = "Hi, @alice.bsky.social how are you today my friend"
    body = {"text": text, "source_network": "bluesky", "entities": {"urls": listed[:1], "user_mentions": listed[1:]}}
    assert Content(body).prose.split() == ["Hi,", "how", "are", "you", "today", "my", "friend"]


def test_a_far_mention_of_mastodon_and_own_emoji_leave_no_words() -> None:
    entities = {"user_mentions": [{"screen_name": "ana@other.example"}], "emojis": [{"shortcode": "blobcat"}]}
    text = "morning @ana@other.example :blobcat: :blobcat: coffee ☕"
    content = Content({"text": text, "source_network": "mastodon", "entities": entities})
    assert content.prose.split() == ["morning", "coffee", "☕"]
    assert (content.text, content.mention_count, content.emoji_count) == (text, 1, 3)


def test_marks_outside_the_text_are_ignored() -> None:
    marks = [{"indices": one} for one in ([5, 99], [-1, 2], [2, 1], [0], "ab", [0.5, 1], [True, 2], None)]
    assert Content({"text": "all of it", "source_network": "bluesky", "entities": {"urls": marks}}).prose == "all of it"


assert Content({"text": "the detector is loaded outside of a timed example"}).language.code == "en"


@given(
    st.fixed_dictionaries(
        {"text": st.text(max_size=40)},
        optional=dict.fromkeys(
            (
                *("id", "id_str", "full_text", "extended_tweet", "retweeted_status", "entities", "lang"),
                *("source_network", "quoted_status_id_str", "edit_history_tweet_ids"),
            ),
            json_values(),
        ),
    ),
    st.sampled_from(["twitter", "mastodon", "bluesky", "elsewhere"]),
)
def test_any_object_has_a_content(body: dict[str, Any], network: str) -> None:
    content = Content(json.loads(json.dumps({"source_network": network} | body)))
    counts = content.url_count, content.mention_count, content.emoji_count
    assert min(counts) >= 0
    assert all(isinstance(one, str) and one for one in [*content.hashtags, *content.links])
    assert isinstance(content.prose, str)
    assert content.language.known_from in {"source", "text", "unknown"}


_ENTITY = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("text", "tag", "url", "expanded_url", "shortcode", "screen_name"), json_values()),
        "indices": json_values() | st.lists(st.integers(-2, 30), max_size=3),
    },
)


@given(
    st.text(max_size=40),
    st.dictionaries(
        st.sampled_from(["hashtags", "urls", "user_mentions", "media", "emojis"]), st.lists(_ENTITY, max_size=4)
    ),
    st.sampled_from(["twitter", "mastodon", "bluesky"]),
)
def test_any_entities_are_read(text: str, entities: dict[str, Any], network: str) -> None:
    content = Content({"text": text, "entities": entities, "source_network": network})
    assert min(content.url_count, content.mention_count, content.emoji_count) >= 0
    assert all(isinstance(one, str) and one for one in [*content.hashtags, *content.links])
    assert isinstance(content.prose, str)
