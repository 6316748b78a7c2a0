"""The standard Spark stages and their Python counterpart give the same words for every text."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyspark.ml import PipelineModel

from twitter_topics.testing.hostile import TEXTS
from twitter_topics.topic_models.scoring.text import content_words
from twitter_topics.topic_models.training.spark_text import TEXT, WORDS, text_stages

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

TWEETS = Path(__file__).resolve().parents[5] / "shared" / "data" / "tweets_72h.jsonl.gz"
SURROGATES = range(0xD800, 0xE000)
CODE_POINTS = [
    code for code in (*range(1, 0x3100), *range(0xA000, 0xAC10), *range(0x1F000, 0x1FB00)) if code not in SURROGATES
]

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
]


@pytest.fixture(scope="module")
def stages(spark: SparkSession) -> PipelineModel:
    return PipelineModel(text_stages())


def spark_words(spark: SparkSession, stages: PipelineModel, texts: list[str]) -> list[list[str]]:
    frame = spark.createDataFrame(pa.table({"position": list(range(len(texts))), TEXT: texts}))
    table = stages.transform(frame).select("position", WORDS).toArrow().sort_by("position")
    assert table["position"].to_pylist() == list(range(len(texts)))
    words: list[list[str]] = table[WORDS].to_pylist()
    return words


def assert_equal(spark: SparkSession, stages: PipelineModel, texts: list[str]) -> None:
    expected = [content_words(text) for text in texts]
    differing = [
        (ascii(text), words, mine)
        for text, words, mine in zip(texts, spark_words(spark, stages, texts), expected, strict=True)
        if words != mine
    ]
    assert differing == []
    assert any(expected), "texts without a single word would agree about nothing"


def test_nasty_texts(spark: SparkSession, stages: PipelineModel) -> None:
    assert_equal(spark, stages, NASTY)


def test_code_points_in_every_position(spark: SparkSession, stages: PipelineModel) -> None:
    characters = [chr(code) for code in CODE_POINTS]
    assert_equal(spark, stages, [f"aa{c}bb {c}x'{c}y #{c}q {c * 4}" for c in characters])


def test_random_mixtures(spark: SparkSession, stages: PipelineModel) -> None:
    draw = random.Random(5)
    pieces = [*"aA'#@& sSzZ.é", "👍", "http://", "www.", "'s ", "&amp;"]
    texts = [
        "".join(draw.choice(pieces) if draw.random() < 0.6 else chr(draw.choice(CODE_POINTS)) for _ in range(50))
        for _ in range(5000)
    ]
    assert_equal(spark, stages, texts)


def test_hostile_texts(spark: SparkSession, stages: PipelineModel) -> None:
    texts = [text for name, text in TEXTS.items() if name != "lone surrogates"]  # Spark's strings cannot hold them
    assert_equal(spark, stages, texts)


@pytest.mark.skipif(not TWEETS.exists(), reason="the tweets are not next to the checkout")
def test_real_tweets(spark: SparkSession, stages: PipelineModel) -> None:
    with gzip.open(TWEETS, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for _, line in zip(range(2000), lines, strict=False)]
    assert_equal(spark, stages, texts)


def test_saved_stages_do_the_same(spark: SparkSession, stages: PipelineModel, tmp_path: Path) -> None:
    stages.save(f"file://{tmp_path}/stages")
    assert_equal(spark, PipelineModel.load(f"file://{tmp_path}/stages"), NASTY)
