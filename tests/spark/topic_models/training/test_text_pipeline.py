"""The standard Spark stages and their Python counterpart give the same words for every text."""

from __future__ import annotations

import gzip
import json
import random
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from pyspark.ml import PipelineModel

from twitter_topics.records.language import UNKNOWN
from twitter_topics.testing.hostile import TEXTS
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.scoring.text import NEWEST, TEXT_RULES
from twitter_topics.topic_models.scoring.topic_model import TopicModel
from twitter_topics.topic_models.training.spark_text import LANGUAGE, TEXT, WORDS, text_stages

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from twitter_topics.topic_models.scoring.text_rules import TextRules

pytestmark = pytest.mark.spark

TWEETS = Path(__file__).resolve().parents[5] / "shared" / "data" / "tweets_72h.jsonl.gz"
EVERY = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
IN_USE = [one for one in EVERY if unicodedata.category(one) not in ("Cn", "Co")]
SCRIPTS = [
    "ａｂＡ１＃＠．／", "がギ々ーｶﾞ゛", "東京都北区", "ไทยนำ้เ็ะ", "ລາວນຳເະ", "ខ្មែរៗ", "မြန်မာ္", "한국어ㅋㅎ", "Σσςάη",
    "İIıi\u0307\u0301", "سـلام\u064b\u200c", "क्ष\u200dहिं", "𝐁𝓸ﬁ½…´", "\u00ad\u2060\ufeff\u200c\u200d\ufe0f",
    "aA'#@& sSzZ.é/-_9",
]  # fmt: skip
MIXES, AT_ONCE = 100_000, 6_000

NASTY = [
    "",
    " ",
    "'''",
    "İSTANBUL Iğdır ISPARTA ıslak",
    "ΟΔΟΣ ΣΑΣ Σ",
    "e\u0301te\u0301 cafe\u0301 Cafe\u0301",
    "👩\u200d👩\u200d👧\u200d👦 family 👍🏽 ❤️ 🇬🇧 1️⃣",
    "سلام دنیا می\u200cخواهم #سلام",
    "שָׁלוֹם עולם",
    "don’t DON'T today’s y'all rock'n'roll O'Brien's l'été",
    "soooooo coooool yessss!!! ÀÀÀÀÀ",
    "https://t.co/Ab\u00e9x @user_1 &amp; &#39; www.foo.com/x?y=#z #HashTag #ÉTÉ2026 ##x #1 #_a",
    "a\u00a0b\u2003c\u3000d\u0085e\u1680word",
    "ＦＵＬＬ width ｗｉｄｅ",
    "straße STRASSE ẞ ŉ ǰ",
    "ﬁnd ﬂow 𝓗𝓮𝓵𝓵𝓸 𝐁𝐨𝐥𝐝",
    "日本語のツイート한국어",
    "x's 's it's let's the dogs' s's's",
    "\ud7ff\ue000\ufffd\U0010ffff zz",
    "K Å kelvin Ω ohm",
    "a\x00b\x1cc\x1fd\x0bword\\u0041 \\'quoted\\' $1 \\1",
    "ǅ ǈ Ǆ ⅷ Ⅷ ⓐ Ⓐ Ꙁꙁ ᲐᲑ აბ Ა",
    "@@x@y.com me@mail.com &lt;3 &amp;amp; AT&T;",
    "東京都abc行く #東京タワー#東 雨 雨abc ｶﾞｷﾞ あ゛",
    "ประเทศไทย น้ำ ไป เ ็ก็ ไทย東京 #ประเทศไทย ລາວ កម្ពុជា မြန်မာ",
    "σ'αγαπώ ΟΔΟΣ_1 ΟΔΟΣ's #ΟΔΟΣ Σ' i\u0307i\u0307 I\u0307",
    "＠ｕｓｅｒ ＃ｔａｇ ｈｔｔｐｓ：／／ｔ．ｃｏ／ａ @made-up.bsky.social @a@b.c-d ex.org/2026... u.s./uk a.b/c",
    "inter\u00adnational سـلام می\u200cخواهم क\u094d\u200dष x\u200c y\u200c\u200dz",
]


@dataclass(frozen=True)
class Stages:
    """The Spark stages of some rules."""

    spark: SparkSession
    rules: TextRules
    pipeline: PipelineModel

    def words(self, texts: list[str], languages: Sequence[str | None]) -> list[list[str]]:
        prepared = [self.rules.prepared(text) for text in texts]
        table = pa.table({"position": list(range(len(texts))), TEXT: prepared, LANGUAGE: list(languages)})
        # Spark evaluates a local table as a whole while it plans
        parts = [table.slice(start, AT_ONCE) for start in range(0, len(texts), AT_ONCE)]
        found = [self.pipeline.transform(self.spark.createDataFrame(one)).select("position", WORDS) for one in parts]
        words = pa.concat_tables([one.toArrow().sort_by("position") for one in found])
        assert words["position"].to_pylist() == list(range(len(texts)))
        return list(words[WORDS].to_pylist())

    def assert_equal(self, texts: list[str], languages: list[str] | None = None) -> None:
        languages = languages or [UNKNOWN] * len(texts)
        expected = list(map(self.rules.content_words, texts, languages))
        differing = [
            (ascii(text), words, mine)
            for text, words, mine in zip(texts, self.words(texts, languages), expected, strict=True)
            if words != mine
        ]
        assert differing[:20] == []
        assert any(expected), "texts without a single word would agree about nothing"


@pytest.fixture(scope="module", params=TEXT_RULES.values(), ids=lambda rules: f"rules {rules.number}")
def stages(spark: SparkSession, request: pytest.FixtureRequest) -> Stages:
    return Stages(spark, request.param, PipelineModel(text_stages(request.param)))


def test_nasty_texts(stages: Stages) -> None:
    stages.assert_equal(NASTY)


def test_every_code_point_in_every_position(stages: Stages) -> None:
    many = [c for c in IN_USE if not unicodedata.name(c, "").startswith(("CJK UNI", "HANGUL SYL"))]
    lines = [f"aa{c}bb {c}x'{c}y #{c}q {c * 4} 東{c}京 ไท{c}ย σ{c} {c}.a/b" for c in many]
    lines += [f"aa{c}bb {c}cc" for c in sorted(set(EVERY) - set(many))]
    stages.assert_equal(["\n".join(lines[start : start + 64]) for start in range(0, len(lines), 64)])


def test_random_mixes(stages: Stages) -> None:
    draw = random.Random(5)
    pieces = [*"aA'#@& sSzZ.é", "👍", "http://", "www.", "'s ", "&amp;"]
    texts = []
    for _ in range(MIXES):
        script = draw.choice(SCRIPTS)
        sources = (pieces, script, script, IN_USE)
        texts.append("".join(draw.choice(draw.choice(sources)) for _ in range(24)))
    stages.assert_equal(texts)


CODES = ("en", "ja", "es", "tl")
"""Languages of a model; there is no list of stop words for the last one."""


def test_a_model_of_languages_reads_the_same_words(spark: SparkSession) -> None:
    draw = random.Random(6)
    stop = [word for code in CODES for word in sorted(NEWEST.stop_words_of(code))]
    pieces = [*"aA'#@& sSzZ.é", "👍", "http://", "'s ", " the ", " no ", " la ", " は ", " goal "]
    texts = []
    for _ in range(20_000):
        script = draw.choice(SCRIPTS)
        sources = (pieces, script, script, IN_USE)
        words = [draw.choice(draw.choice(sources)) for _ in range(16)]
        texts.append("".join(words) + " " + draw.choice(stop))
    languages: list[str | None] = [draw.choice([*CODES, UNKNOWN, UNKNOWN, "de", "EN", "", "xx", None]) for _ in texts]
    stages = Stages(spark, NEWEST, PipelineModel(text_stages(NEWEST, CODES)))
    found = stages.words(texts, languages)

    vocabulary = {f"{code}:{token}" for text in texts for token in NEWEST.tokens(text) for code in CODES}
    scorer = Scorer(model_of_words(tuple(sorted(vocabulary))))
    starts, indices = scorer._word_indices(texts, languages)
    spelled = [scorer.model.vocabulary[index] for index in indices.tolist()]
    differing = [
        (ascii(text), language, words, mine)
        for text, language, words, start, end in zip(texts, languages, found, starts, starts[1:], strict=False)
        if Counter(words) != Counter(mine := spelled[start:end])
    ]
    assert differing[:20] == []
    for language in set(languages):
        texts_of_one = [words for words, code in zip(found, languages, strict=True) if code == language]
        read_in = {word.partition(":")[0] for words in texts_of_one for word in words}
        assert read_in == ({language} & set(CODES) if language not in (UNKNOWN, None) else set(CODES)), language


def model_of_words(vocabulary: tuple[str, ...]) -> TopicModel:
    """Return a model with a topic for each language of CODES."""
    matrix = np.full((len(CODES), len(vocabulary)), 1.0)
    one = np.ones(len(CODES))
    counts = np.ones(len(vocabulary), dtype=np.int64)
    numbers = np.arange(len(CODES))
    return TopicModel(vocabulary, matrix, one, 0.1, numbers, counts, numbers, topic_languages=CODES)


def test_every_stop_word_in_every_language(stages: Stages) -> None:
    lists = TEXT_RULES[2].stop_words()
    everything = " ".join(sorted(frozenset().union(*lists.values())))
    languages = [*lists, "xx", ""]
    stages.assert_equal([everything] * len(languages), languages)


def test_hostile_texts(stages: Stages) -> None:
    # Spark's strings cannot hold lone surrogates
    stages.assert_equal([text for name, text in TEXTS.items() if name != "lone surrogates"])


@pytest.mark.skipif(not TWEETS.exists(), reason="the tweets are not next to the checkout")
def test_real_tweets(stages: Stages) -> None:
    with gzip.open(TWEETS, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for _, line in zip(range(2000), lines, strict=False)]
    stages.assert_equal(texts)


def test_saved_stages_do_the_same(stages: Stages, tmp_path: Path) -> None:
    stages.pipeline.save(f"file://{tmp_path}/stages")
    replace(stages, pipeline=PipelineModel.load(f"file://{tmp_path}/stages")).assert_equal(NASTY)


def test_spark_alone_does_not_prepare_texts(spark: SparkSession) -> None:
    raw = replace(TEXT_RULES[1], number=0)
    stages = Stages(spark, raw, PipelineModel(text_stages(NEWEST)))
    assert stages.words(["ｗｉｄｅ wide"], ["en"]) == [["wide"]]
    assert NEWEST.content_words("ｗｉｄｅ wide") == ["wide", "wide"]
