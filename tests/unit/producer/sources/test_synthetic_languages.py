"""The languages of the made-up stream: today's mix stays to the byte, and chosen languages are spoken by all themes."""

from __future__ import annotations

import json
import re
from collections import Counter
from hashlib import sha256
from importlib.resources import files

import pytest

from producer.position import SourcePosition
from producer.source import Context
from producer.sources.synthetic import SyntheticSource
from producer.sources.synthetic.languages import Language, load_languages
from producer.sources.synthetic.stream import Stream
from producer.sources.synthetic.themes import PHASES, Theme, load_themes
from producer.sources.synthetic.writing import GAP, MAX_CHARACTERS
from producer.testing import settings_of
from twitter_topics.records.content import Content
from twitter_topics.settings.sections import SYNTHETIC_LANGUAGES

BEGIN_MS = 1_793_491_200_000  # 2026-11-01T00:00Z
FROZEN = {
    "names.json": "6bc8160b3144dacacf411f1470dd7f2030e8f8340c55b854641522a6516b97d1",
    "themes/chatter.json": "3c2861635f578d0e19f26465c26ea9569aef7e8ce85006e5f9d61e6edc48313d",
    "themes/chatter_morning.json": "6c29f0d82dfd8400a49eb42d4a3d9146c386055882adab0099de3690964b1d69",
    "themes/chatter_night.json": "19d8028502191936e8cd3fee0a39bcfdc45c9644a349c78e8fe25f14d8b1d8d4",
    "themes/city_election.json": "f780e52aac4952de0211acdea268452b81287575ae664f16411769b69cfbb002",
    "themes/cooking.json": "27e3e265ec69fba39fed760df8ae2a87b68d86c77325a1d4670eba550af73e17",
    "themes/fitness.json": "65cd6a7891bd4c90afff99df1af2946efd58a7ccd5fddf810e18d0f2ce144ac6",
    "themes/football_final.json": "7af5c610b6b4b7a85cf2a24e7ff4d3f5321b1594743c8c8b6048d5c96104a5bb",
    "themes/gaming.json": "f52c6841cc48afa72370fb5f51016c5a14bdf4b2dc4562f871ec4ab8f7203907",
    "themes/music_festival.json": "43b1aadbc8ee306b0bdf54b2fc36736a4f4ee3d6f71a76545776ae3d081b8809",
    "themes/phone_launch.json": "0ebf67a2349b81cef31a9f1920e8d8953d526f23bbba90179ccf686dfe89d0a7",
    "themes/series_finale.json": "5a1731197990819e4b20c81d23d9dfb42235121b40123b1f7f4b40550fc73a62",
    "themes/space_launch.json": "80994100880de84baf0e3bdf558740f724a7bbc7e8dbc141f7c3bc48328474f1",
    "themes/startup_ai.json": "d7cfbaa1f182415dabbd09e5a733780c5891d7b7e191532660d6011fc78bd3d1",
    "themes/stock_market.json": "81313660425ce60c6660257d56ca7af7d11a22a7384423f811ae51e91c07da67",
    "themes/storm.json": "73d89d3955c4add14ef5d1f0412af7f3746f7e5f721008e0de1d3ca0884fbad3",
    "themes/train_strike.json": "b311280661b31273cb9def9053f6ebfde7937a9a9dd4db6620054b0345b69342",
    "themes/travel.json": "88d8c1e124b12e584b45c2df3e92a2c8d3fe36f748c10a1648def6dc5fe96734",
}
"""sha256 of the files that the measure of topics rests on."""

ALL = ",".join(SYNTHETIC_LANGUAGES)
TRANSLATED = load_languages("es,pt,fr,ja,de").spoken
NEW = [(language, theme) for language in TRANSLATED for theme in language.themes.values()]


def by_name(value: object) -> str:
    return value.code if isinstance(value, Language) else str(getattr(value, "name", value))


def digest(stream: Stream, number: int) -> str:
    lines = (json.dumps(stream.tweet(index)[1], ensure_ascii=False, separators=(",", ":")) for index in range(number))
    return sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def source_of(languages: str, saved: SourcePosition | None = None) -> SyntheticSource:
    settings = settings_of(synthetic_languages=languages)
    return SyntheticSource.open(settings, saved, Context(now_ms=lambda: BEGIN_MS, pause=lambda _: False))


@pytest.fixture(scope="module")
def bodies() -> list[dict]:
    stream = Stream(1, 0.5, BEGIN_MS, load_themes(), load_languages(ALL))
    return [stream.tweet(index)[1] for index in range(4_000)]


def test_the_files_of_themes_are_frozen() -> None:
    folder = files("producer.sources.synthetic")
    themes = {f"themes/{entry.name}" for entry in (folder / "themes").iterdir() if entry.name.endswith(".json")}
    assert themes | {"names.json"} == set(FROZEN)
    assert {name: sha256((folder / name).read_bytes()).hexdigest() for name in FROZEN} == FROZEN


def test_without_a_choice_the_stream_is_always_the_same() -> None:
    stream = Stream(1, 0.5, BEGIN_MS, load_themes())
    assert digest(stream, 2_000) == "f34084e2e6835cdc5f6dfbabeaf08a00d93ae86f59df2217fcce5f8e7391b363"


def test_a_choice_is_another_stream_and_no_choice_is_the_old_one() -> None:
    old = SourcePosition({"seed": 1, "rate": 0.5, "history_hours": 24}, {"begin_ms": BEGIN_MS - 9}, 5, cursor=5)
    assert source_of("", old).start == old
    chosen = source_of("de,en", old).start
    assert (chosen.identity["languages"], chosen.cursor) == ("en,de", 0)
    assert source_of("en,de", chosen).start == chosen
    assert source_of("en,ja", chosen).start != chosen


def test_everybody_writes_and_retweets_one_language(bodies: list[dict]) -> None:
    spoken: dict[str, set[str]] = {}
    for body in bodies:
        spoken.setdefault(body["user"]["id_str"], set()).add(body["lang"])
    assert {len(languages) for languages in spoken.values()} == {1}
    people = Counter(languages.pop() for languages in spoken.values())
    assert set(people) == set(SYNTHETIC_LANGUAGES)
    assert max(people.values()) < 1.3 * min(people.values())


def test_the_text_shows_its_language(bodies: list[dict]) -> None:
    found: dict[str, Counter[str]] = {code: Counter() for code in SYNTHETIC_LANGUAGES}
    for body in bodies:
        if "retweeted_status" not in body:
            unnamed = {key: value for key, value in body.items() if key != "lang"}
            found[body["lang"]][Content(unnamed).language.code] += 1
    for code, counts in found.items():
        assert set(counts) <= {code, "und"}
        assert counts["und"] < 0.08 * counts.total(), code


def test_texts_are_whole_and_short(bodies: list[dict]) -> None:
    for body in bodies:
        text = Content(body).text
        assert 0 < len(text) <= MAX_CHARACTERS
        assert not re.search(r"[{}\[\]|]", text), text
        assert body["user"]["screen_name"].isascii()
        if body["lang"] == "ja":
            assert re.search("[ぁ-ヿ一-鿿]", text), text


def test_words_that_meet_in_a_gap_are_contracted(bodies: list[dict]) -> None:
    contractions = {language.code: language.contractions for language in TRANSLATED}
    texts = [(body["lang"], Content(body).text) for body in bodies]
    for code, text in texts:
        if text != text.lower():  # names of shows begin with a capital article
            assert not any(re.search(pattern, text) for pattern in contractions.get(code, ())), text
    assert any(" del " in text for code, text in texts if code == "es")


def test_chosen_streams_are_reproducible() -> None:
    first, second = (Stream(7, 2.0, BEGIN_MS, load_themes(), load_languages("ja,de")) for _ in range(2))
    assert [second.tweet(index) for index in (250, 0, 99)] == [first.tweet(index) for index in (250, 0, 99)]
    assert first.tweet(5)[1]["id"] != Stream(7, 2.0, BEGIN_MS, load_themes()).tweet(5)[1]["id"]


def test_languages_speak_of_every_theme() -> None:
    assert {language.code for language in TRANSLATED} | {"en"} == set(SYNTHETIC_LANGUAGES)
    for language in TRANSLATED:
        assert set(language.themes) == {theme.name for theme in load_themes()}
        assert all(language.openers[mood] and language.closers[mood] for mood in "+=-")


@pytest.mark.parametrize(("language", "theme"), NEW, ids=by_name)
def test_every_template_fills_from_its_own_language(language: Language, theme: Theme) -> None:
    assert set(theme.templates) == {language.code}
    assert set(theme.daily) <= set(theme.pools)
    texts = [text for phase in PHASES for text in theme.templates[language.code][phase]]
    assert len(set(texts)) >= 12
    for phase in PHASES:
        assert len(theme.templates[language.code][phase]) >= (4 if theme.event else 8)
    used = {match["pool"] for text in texts for match in GAP.finditer(text) if match["pool"]}
    assert used == set(theme.pools)
    for text in texts:
        assert re.match(r"[+=-] \S", text)
        assert not re.search(r"[{}\[\]|]", GAP.sub("", text)), text
        longest = GAP.sub(lambda match: _longest(match, theme), text[2:])
        assert len(longest) < MAX_CHARACTERS / 2, "two sentences must fit into a tweet"


def _longest(match: re.Match[str], theme: Theme) -> str:
    if match["choice"]:
        return max(match["choice"].split("|"), key=len)
    return match["high"] or max(theme.pools[match["pool"]], key=len)
