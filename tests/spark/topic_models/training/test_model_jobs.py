"""From the archive to a champion: both jobs, registration, promotion and the loader, on synthetic tweets."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pyspark.sql import functions as fn

from tests.bad_input import ROWS
from tests.spark.topic_models.training.archived import (
    FIRST,
    NOW,
    SECOND,
    START,
    THIRD,
    append,
    append_planted,
    request,
    tweet,
)
from twitter_topics.archive.maintenance import compact_archive
from twitter_topics.archive.rows import current_snapshot, raw_table
from twitter_topics.backends.sql import statement
from twitter_topics.errors import ConflictError, IntegrityError, TooFewTweetsError
from twitter_topics.records.processed import NO_TOPIC
from twitter_topics.settings import Settings
from twitter_topics.testing.corpora import in_language, planted_documents, purity
from twitter_topics.testing.models import in_format_1
from twitter_topics.testing.objects import MemoryObjects
from twitter_topics.topic_models.registry.champion import load_champion
from twitter_topics.topic_models.registry.files import (
    BIRTHS,
    EVALUATION,
    GOLDEN,
    TOPICS,
    TRAINING,
    read_json,
)
from twitter_topics.topic_models.registry.registration import register_version
from twitter_topics.topic_models.registry.store import ARRAYS, ModelStore
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.scoring.text import TEXT_RULES
from twitter_topics.topic_models.scoring.topic_model import TopicModel
from twitter_topics.topic_models.training.corpus import slice_of
from twitter_topics.topic_models.training.extent import Offsets
from twitter_topics.topic_models.training.jobs import evaluate, train
from twitter_topics.topic_models.training.tweets import read_again, read_tweets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

_JAPANESE = """台風 大雨 洪水 警報 避難 停電 堤防 雷雨 暴風 高潮
試合 得点 監督 選手 優勝 決勝 審判 観客 サッカー ゴール
料理 醤油 玉葱 鍋物 味噌汁 レシピ 砂糖 弁当 朝食 パスタ
宇宙 衛星 打上 火星 月面 飛行士 ロケット 望遠鏡 銀河 探査機"""
JAPANESE = [line.split() for line in _JAPANESE.splitlines()]


_CHANGES = "kafka_partition int, kafka_offset long, payload binary, reject_reason string"


def delete(spark: SparkSession, settings: Settings, numbers: Iterable[int]) -> int:
    """Remove the text of tweets, as the job of tweet_deletions does. Returns the snapshot."""
    ids = [str(10_000_000 + number) for number in numbers]
    found = (
        spark.table(raw_table(settings)).where(fn.col("tweet_id").isin(ids)).select("kafka_partition", "kafka_offset")
    )
    redacted = spark.createDataFrame([(*place, None, "deleted: delete") for place in found.collect()], _CHANGES)
    redacted.createOrReplaceTempView("changes")
    span = {"first": int(START.timestamp() * 1e6), "last": int((START + timedelta(days=2)).timestamp() * 1e6)}
    spark.sql(statement("deletions/allow_appends", catalog=settings.archive.catalog_name))
    spark.sql(statement("deletions/apply_changes", catalog=settings.archive.catalog_name), args=span)
    snapshot = current_snapshot(spark, settings)
    assert snapshot is not None
    return snapshot


@pytest.fixture
def store() -> ModelStore:
    return ModelStore(Settings({}), objects=MemoryObjects())


@pytest.fixture
def archive(spark: SparkSession, local_archive: Settings) -> Settings:
    append_planted(spark, local_archive)
    return local_archive


def test_reading_gives_each_tweet_once_in_a_fixed_order(spark: SparkSession, archive: Settings) -> None:
    snapshot = current_snapshot(spark, archive)
    assert snapshot is not None
    window: dict[str, Any] = {"start": START, "end": START + timedelta(hours=20), "max_tweets": 100_000}
    before = read_tweets(spark, archive, snapshot=snapshot, **window)
    assert before.count == 2400
    slices = [slice_of(str(10_000_000 + i)) for i in range(2400)]
    assert before.slices.tolist() == slices
    assert len(before.sample_texts) == len(before.sample_languages) == len(before.to_judge(20)) == slices.count(0) > 60

    again = [tweet(i, ["changed"], START + timedelta(hours=1)) for i in range(500)]
    outside = [tweet(5000, ["early"], START - timedelta(seconds=1)), tweet(5001, ["late"], START + timedelta(hours=20))]
    append(spark, archive, [*again, *outside, b"no tweet", b'{"id_str": "1"}'], first_offset=2400)
    newer = current_snapshot(spark, archive)
    assert newer is not None
    assert newer != snapshot
    after = read_tweets(spark, archive, snapshot=newer, **window)
    assert after.words.equals(before.words), "the first record of a tweet counts, rejects and other hours do not"
    assert read_tweets(spark, archive, snapshot=snapshot, **window).words.equals(before.words)


def test_a_retweet_is_held_out_exactly_if_its_original_is(spark: SparkSession, local_archive: Settings) -> None:
    originals = [tweet(i, [f"word{i}"], START) for i in range(200)]
    retweets = []
    for i, original in enumerate(originals):
        retweet = json.loads(tweet(500 + i, ["RT"], START))
        nested = json.loads(original)
        if i % 2:  # as a search returns a retweet of a retweet
            nested = json.loads(tweet(800 + i, ["RT"], START)) | {"retweeted_status": nested}
        retweets.append(json.dumps(retweet | {"retweeted_status": nested}).encode())
    append(spark, local_archive, [*originals, *retweets])
    snapshot = current_snapshot(spark, local_archive)
    assert snapshot is not None
    read = read_tweets(
        spark, local_archive, snapshot=snapshot, start=START, end=START + timedelta(hours=1), max_tweets=1000
    )
    assert read.count == 400
    held_out = Counter(word for (word,) in read.to_judge(20).to_pylist())
    assert len(held_out) > 5
    assert set(held_out.values()) == {2}


@pytest.mark.usefixtures("zone")
def test_newest_tweets_are_read_when_there_are_too_many(spark: SparkSession, archive: Settings) -> None:
    snapshot = current_snapshot(spark, archive)
    assert snapshot is not None
    whole = read_tweets(
        spark, archive, snapshot=snapshot, start=START, end=START + timedelta(hours=20), max_tweets=2400
    )
    newest = read_tweets(
        spark, archive, snapshot=snapshot, start=START, end=START + timedelta(hours=20), max_tweets=600
    )
    assert newest.count == 600
    assert newest.words.to_pylist() == whole.words.to_pylist()[1800:]  # ids rise with time here
    assert newest.extent.start == START + timedelta(seconds=20 * 1800)


def test_the_newest_tweets_are_those_of_whole_seconds(spark: SparkSession, local_archive: Settings) -> None:
    """Many share a time; where they end up in the archive's files must not choose between them."""
    values = [tweet(i, ["storm"], START + timedelta(seconds=i // 100)) for i in range(1000)]
    append(spark, local_archive, values)
    snapshot = current_snapshot(spark, local_archive)
    assert snapshot is not None
    window: dict[str, Any] = {"snapshot": snapshot, "start": START, "end": START + timedelta(hours=1)}
    read = read_tweets(spark, local_archive, **window, max_tweets=399)
    assert (read.count, read.extent.start) == (300, START + timedelta(seconds=7))
    assert read.extent.offsets == {0: Offsets(first=700, last=999, count=300)}
    with pytest.raises(TooFewTweetsError, match="more than 99 tweets have the same time"):
        read_tweets(spark, local_archive, **window, max_tweets=99)


def test_what_was_read_is_read_again_without_what_was_deleted(spark: SparkSession, local_archive: Settings) -> None:
    """With a compaction in between, tweets that arrived later, and fewer tweets read than there are."""
    documents, _ = planted_documents(1200, seed=21)
    for partition in (0, 1):
        half = [tweet(i, words, START + timedelta(seconds=20 * i)) for i, words in enumerate(documents)][partition::2]
        for part in range(3):  # several files an hour
            append(spark, local_archive, half[part::3], first_offset=1000 * part, partition=partition)
    append(spark, local_archive, [tweet(1199, ["delivered", "twice"], START)], first_offset=5000, partition=1)
    first = current_snapshot(spark, local_archive)
    assert first is not None
    window: dict[str, Any] = {"start": START, "end": START + timedelta(hours=20), "max_tweets": 500}
    before = read_tweets(spark, local_archive, snapshot=first, **window)
    assert before.count == 500
    assert {one: read.count for one, read in before.extent.offsets.items()} == {0: 250, 1: 250}
    assert max(read.last for read in before.extent.offsets.values()) < 5000

    closed = START + timedelta(days=1)
    done = compact_archive(spark, local_archive, snapshot=first, closed_before=closed, min_files=2)
    assert done.after.files < done.before.files
    late = [tweet(5000 + i, ["late"], START + timedelta(hours=6, seconds=i)) for i in range(50)]
    append(spark, local_archive, late, first_offset=6000, partition=1)
    append(spark, local_archive, late, first_offset=0, partition=2)
    snapshot = current_snapshot(spark, local_archive)
    assert snapshot is not None
    same = read_again(spark, local_archive, before.extent, snapshot=snapshot)
    assert same.words.equals(before.words)
    assert (same.sample_texts, same.slices.tolist()) == (before.sample_texts, before.slices.tolist())
    assert same.extent == before.extent

    after = read_again(spark, local_archive, before.extent, snapshot=delete(spark, local_archive, range(1000, 1100)))
    assert after.count == 400
    assert before.extent.deleted_until(after.extent) == 100
    ids = [*range(700, 1000), *range(1100, 1200)]
    assert after.slices.tolist() == [slice_of(str(10_000_000 + i)) for i in ids]
    kept = [words for i, words in zip(range(700, 1200), before.words.to_pylist(), strict=True) if i in ids]
    assert after.words.to_pylist() == kept


def test_from_archive_to_champion_and_to_its_successor(
    spark: SparkSession, archive: Settings, store: ModelStore
) -> None:
    train(spark, archive, store, request(FIRST))
    train(spark, archive, store, request(FIRST))  # an Airflow retry trains the version from scratch
    assert store.versions() == []
    verdict = evaluate(spark, archive, store, FIRST, NOW)
    assert verdict.promote, verdict.reasons
    manifest = register_version(store, FIRST)
    champion = store.promote(FIRST, None, verdict.reasons[0], "tests")
    store.verify(FIRST)
    assert manifest["snapshot"] == current_snapshot(spark, archive)
    assert {ARRAYS, TOPICS, TRAINING, EVALUATION, GOLDEN} <= set(manifest["files"])
    assert sum(topic["documents"] for topic in manifest["topics"]) > 1800

    loaded = load_champion(store)
    assert loaded is not None
    assert loaded.version == FIRST
    assert set(loaded.scorer.labels) == {-1, *(topic["topic_id"] for topic in manifest["topics"])}

    with pytest.raises(ConflictError):
        train(spark, archive, store, request(FIRST))
    documents, _ = planted_documents(2400, seed=22)
    later = START + timedelta(hours=3)
    append(
        spark,
        archive,
        [tweet(9000 + i, words, later + timedelta(seconds=20 * i)) for i, words in enumerate(documents)],
        first_offset=10_000,
    )
    train(spark, archive, store, request(SECOND, seed=2, min_confidence=0.5))
    verdict = evaluate(spark, archive, store, SECOND, NOW)
    assert verdict.promote, verdict.reasons
    evaluation = read_json(store, SECOND, EVALUATION)
    calibrated = read_json(store, SECOND, TRAINING)["confidence"]
    assert manifest["confidence"] == {}
    assert calibrated["all"]["agreement"] > 0.9
    assert calibrated["all"]["min_share"] == 0.0, "all tweets are about a theme"
    assert evaluation["metrics"]["without_topic"] == pytest.approx(1 - evaluation["metrics"]["coverage"])
    assert 0.8 < evaluation["comparison"]["ratio"]["low"] < evaluation["comparison"]["ratio"]["high"] < 1.05
    assert store.manifest(FIRST)["held_out_one_in"] == 5
    assert 400 < evaluation["metrics"]["held_out"] < 1100
    assert evaluation["champion"] == {"version": FIRST, "etag": champion.etag}
    assert evaluation["comparison"]["share_kept"] > 0.9
    assert evaluated_with_an_older_champion(spark, archive, store) < evaluation["metrics"]["held_out"] / 3
    second = register_version(store, SECOND)
    assert second["confidence"] == calibrated
    kept = [topic for topic in second["topics"] if topic["status"] == "kept"]
    assert len(kept) >= 4
    labels = {topic["topic_id"]: topic["label"] for topic in manifest["topics"]}
    assert [topic["label"] for topic in kept[:4]] == [labels[topic["topic_id"]] for topic in kept[:4]]
    assert evaluation["comparison"]["share_kept_confident"] > 0.95
    births = {birth["topic_id"]: birth for birth in read_json(store, SECOND, BIRTHS)["births"]}
    assert {births[topic["topic_id"]]["version"] for topic in kept} == {FIRST}
    assert {births[topic_id]["label"] for topic_id in labels} == set(labels.values())
    assert sum(topic["documents"] for topic in second["topics"]) == second["documents"]
    assert second["next_topic_id"] >= manifest["next_topic_id"]
    new_ids = [topic["topic_id"] for topic in second["topics"] if topic["status"] == "new"]
    assert all(topic_id >= manifest["next_topic_id"] for topic_id in new_ids)
    store.promote(SECOND, evaluation["champion"]["etag"], "better", "tests")
    successor = load_champion(store)
    assert successor is not None
    assert successor.version == SECOND
    assert store.read(SECOND, ARRAYS) == successor.arrays


def test_more_topics_than_the_champion_was_trained_for_are_a_new_start(
    spark: SparkSession, archive: Settings, store: ModelStore, caplog: pytest.LogCaptureFixture
) -> None:
    train(spark, archive, store, request(FIRST, k=3))
    evaluate(spark, archive, store, FIRST, NOW)
    register_version(store, FIRST)
    store.promote(FIRST, None, "first", "tests")
    caplog.set_level("INFO")
    for k, topics in ((3, 3), (8, 4)):
        train(spark, archive, store, request(SECOND, k=k))
        assert len(read_json(store, SECOND, TOPICS)["topics"]) >= topics
        assert ("a start from scratch" in caplog.text) is (k == 8)
    assert TopicModel.from_bytes(store.read_unregistered(SECOND, ARRAYS)).topic_shares[:4].min() > 0.1
    evaluate(spark, archive, store, SECOND, NOW)
    assert read_json(store, SECOND, EVALUATION)["comparison"]["asked"] == [8, 3]

    used = read_json(store, SECOND, TRAINING)["next_topic_id"]
    store.register(SECOND, read_json(store, SECOND, TRAINING))
    store.expire(SECOND)
    train(spark, archive, store, request(THIRD, k=8))
    topics = read_json(store, THIRD, TOPICS)["topics"]
    new = [topic["topic_id"] for topic in topics if topic["status"] == "new"]
    assert new
    assert min(new) >= used, "ids of an expired version are not used again"


def test_the_seventh_training_is_compared_with_a_start_from_scratch(
    spark: SparkSession, archive: Settings, store: ModelStore
) -> None:
    train(spark, archive, store, request(FIRST))
    evaluate(spark, archive, store, FIRST, NOW)
    assert read_json(store, FIRST, EVALUATION)["from_scratch"] is None
    manifest = register_version(store, FIRST)
    assert manifest["trainings_since_scratch"] == 0
    store._objects.put(f"models/{FIRST}/manifest.json", json.dumps(manifest | {"trainings_since_scratch": 6}).encode())
    store.promote(FIRST, None, "first", "tests")

    train(spark, archive, store, request(SECOND, seed=3))
    verdict = evaluate(spark, archive, store, SECOND, NOW)
    found = read_json(store, SECOND, EVALUATION)["from_scratch"]
    assert found["topics"] >= 4
    assert found["perplexity"][0] / found["perplexity"][1] == pytest.approx(1, rel=0.1)
    assert found["ratio"]["low"] <= found["ratio"]["high"]
    assert found["advice"].startswith("Topics from scratch would not fit better (perplexity ")
    assert verdict.promote, "whatever it says"
    assert register_version(store, SECOND)["trainings_since_scratch"] == 7

    train(spark, archive, store, request(THIRD, seed=4, start_from="scratch"))
    training = read_json(store, THIRD, TRAINING)
    assert (training["trainings_since_scratch"], training["warm_start_version"]) == (0, FIRST)
    evaluate(spark, archive, store, THIRD, NOW)
    evaluation = read_json(store, THIRD, EVALUATION)
    assert evaluation["from_scratch"] is None
    assert evaluation["comparison"]["share_kept"] > 0.8, "topics of the same themes have the same ids"


def evaluated_with_an_older_champion(spark: SparkSession, settings: Settings, store: ModelStore) -> int:
    """Return the tweets on which SECOND is judged if an older release trained FIRST on all but one in twenty."""
    manifest = store.manifest(FIRST)
    del manifest["held_out_one_in"]
    store._objects.put(f"models/{FIRST}/manifest.json", json.dumps(manifest).encode())
    evaluate(spark, settings, store, SECOND, NOW)
    return int(read_json(store, SECOND, EVALUATION)["metrics"]["held_out"])


def test_a_champion_of_the_first_text_rules_has_a_successor(
    spark: SparkSession, archive: Settings, store: ModelStore
) -> None:
    train(spark, archive, store, request(FIRST))
    old = replace(TopicModel.from_bytes(store.read_unregistered(FIRST, ARRAYS)), text_rules=1)
    training = read_json(store, FIRST, TRAINING)
    assert training.pop("text_rules") == 2
    store.put_files(FIRST, {ARRAYS: in_format_1(old), TRAINING: json.dumps(training).encode()})
    store._objects.delete(f"models/{FIRST}/{BIRTHS}")
    evaluate(spark, archive, store, FIRST, NOW)  # these words are the same by all rules, so the pipeline still fits
    assert register_version(store, FIRST)["text_rules"] == 1
    store.promote(FIRST, None, "first", "tests")

    documents, _ = planted_documents(400, seed=22)
    wide = [[word.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)}) for word in one] for one in documents]
    append(
        spark,
        archive,
        [tweet(9000 + i, words, START + timedelta(hours=3, seconds=20 * i)) for i, words in enumerate(wide)],
        first_offset=10_000,
    )
    train(spark, archive, store, request(SECOND))
    verdict = evaluate(spark, archive, store, SECOND, NOW)
    assert verdict.promote, verdict.reasons
    successor = register_version(store, SECOND)
    assert successor["text_rules"] == 2
    assert successor["parameters"]["trainer"] == "gsdmm"
    births = read_json(store, SECOND, BIRTHS)["births"]
    assert {birth["version"] for birth in births if birth["topic_id"] in old.topic_ids} == {FIRST}
    assert read_json(store, SECOND, TRAINING)["warm_start_version"] == FIRST
    assert len([topic for topic in successor["topics"] if topic["status"] == "kept"]) >= 4
    evaluation = read_json(store, SECOND, EVALUATION)
    assert evaluation["metrics"]["coverage"] > 0.99
    assert 0.8 < evaluation["comparison"]["champion"]["coverage"] < 0.9, "the champion cannot read full width"
    assert evaluation["comparison"]["share_kept"] > 0.9


def test_a_stream_of_japanese_alone_gets_a_model(
    spark: SparkSession, local_archive: Settings, store: ModelStore
) -> None:
    draw = random.Random(3)
    truth = [draw.randrange(len(JAPANESE)) for _ in range(2400)]
    texts = [
        "".join(word + draw.choice("がのをにでと") for word in draw.sample(JAPANESE[theme], 5)) + "！"
        for theme in truth
    ]
    values = [tweet(i, [text], START + timedelta(seconds=20 * i)) for i, text in enumerate(texts)]
    append(spark, local_archive, values)
    train(spark, local_archive, store, request(FIRST))
    verdict = evaluate(spark, local_archive, store, FIRST, NOW)
    assert verdict.promote, verdict.reasons
    scorer = Scorer.load(store.read_unregistered(FIRST, ARRAYS))
    found = scorer.score(texts).theta.argmax(axis=1)
    assert purity(found, np.array(truth)) > 0.95
    assert len(TEXT_RULES[1].content_words(texts[0])) == 1, "a sentence was one word, which no other tweet shared"


def spoken(documents: list[list[str]], language: str, first: int, at: datetime = START) -> list[bytes]:
    """Return tweets in a language: English, or another one with words of its own."""
    values = []
    for number, words in enumerate(documents if language == "en" else in_language(documents, language)):
        body = json.loads(tweet(first + number, words, at + timedelta(seconds=10 * number)))
        values.append(json.dumps(body | {"lang": language}).encode())
    return values


def test_languages_have_their_own_topics_from_archive_to_champion(
    spark: SparkSession, local_archive: Settings, store: ModelStore
) -> None:
    """A champion for all languages, then one of English and German, and then one to which French was added."""
    settings, sizes = local_archive, {"en": 2400, "de": 1200, "fr": 300}
    for number, (language, size) in enumerate(sizes.items()):
        values = spoken(planted_documents(size, seed=30 + number)[0], language, 5000 * number)
        append(spark, settings, values, first_offset=5000 * number)
    versions = [FIRST, SECOND, THIRD]
    for version, languages in zip(versions, ("all", "auto", "auto"), strict=True):
        if version == THIRD:
            values = spoken(planted_documents(1100, seed=40)[0], "fr", 40_000, START + timedelta(hours=9))
            append(spark, settings, values, first_offset=40_000)
        train(spark, settings, store, request(version, languages=languages, k=4, seed=len(store.versions())))
        verdict = evaluate(spark, settings, store, version, NOW)
        assert verdict.promote, verdict.reasons
        register_version(store, version)
        champion = store.champion()
        store.promote(version, champion.etag if champion else None, "better", "tests")
    loaded = load_champion(store)
    assert loaded is not None
    assert [store.manifest(version)["parameters"]["languages"] for version in versions] == ["all", "auto", "auto"]
    found = [[one["language"] for one in store.manifest(version)["metrics"]["languages"]] for version in versions]
    assert found == [[], ["en", "de"], ["en", "fr", "de"]]
    assert read_json(store, THIRD, EVALUATION)["comparison"]["share_kept"] > 0.9
    second, third = (store.manifest(version)["topics"] for version in versions[1:])
    assert {topic["language"] for topic in third if topic["status"] == "new"} == {"fr"}
    assert {topic["topic_id"]: topic["language"] for topic in second}.items() <= {
        topic["topic_id"]: topic["language"] for topic in third
    }.items(), "no topic changes its language"
    assert not any(":" in word for topic in third for word in (topic["label"], *topic["top_words"]))

    scorer = loaded.scorer
    language_of = dict(zip(scorer.model.topic_ids.tolist(), scorer.model.topic_languages, strict=True))
    for language in ("en", "de", "fr"):
        words, truth = planted_documents(400, seed=77)
        texts = [json.loads(value)["text"] for value in spoken(words, language, 0)]
        scores = scorer.score(texts, [language] * len(texts))
        topics = scorer.dominant(scores.theta)
        assert {language_of[topic] for topic in topics.tolist()} == {language}
        assert purity(scores.theta.argmax(axis=1), truth) > 0.9
    assert scorer.score_batch(["storm flood rain"], ["pt"]) == [[(NO_TOPIC, 1.0)]]


def test_a_champion_that_has_a_language_more_stays(
    spark: SparkSession, local_archive: Settings, store: ModelStore
) -> None:
    for number, language in enumerate(("en", "de")):
        values = spoken(planted_documents(1500, seed=30 + number)[0], language, 5000 * number)
        append(spark, local_archive, values, first_offset=5000 * number)
    train(spark, local_archive, store, request(FIRST, languages="auto"))
    assert evaluate(spark, local_archive, store, FIRST, NOW).promote
    register_version(store, FIRST)
    store.promote(FIRST, None, "first", "tests")
    train(spark, local_archive, store, request(SECOND, languages="en"))
    verdict = evaluate(spark, local_archive, store, SECOND, NOW)
    assert verdict.state == "refuse"
    assert ROWS["lost language"].matches(verdict.reasons[0])
    assert "in de any more" in verdict.reasons[0]


def test_training_is_reproducible(spark: SparkSession, archive: Settings, store: ModelStore) -> None:
    train(spark, archive, store, request(FIRST))
    train(spark, archive, store, request(SECOND))
    assert store.read_unregistered(FIRST, ARRAYS) == store.read_unregistered(SECOND, ARRAYS)


def test_versions_that_wait_for_the_first_promotion_share_no_topic_ids(
    spark: SparkSession, archive: Settings, store: ModelStore
) -> None:
    train(spark, archive, store, request(FIRST))
    store.register(FIRST, read_json(store, FIRST, TRAINING))
    train(spark, archive, store, request(SECOND))
    first, second = (TopicModel.from_bytes(store.read_unregistered(one, ARRAYS)) for one in (FIRST, SECOND))
    assert not set(first.topic_ids.tolist()) & set(second.topic_ids.tolist())


def test_a_version_is_evaluated_only_against_the_champion_that_it_was_aligned_to(
    spark: SparkSession, archive: Settings, store: ModelStore
) -> None:
    train(spark, archive, store, request(FIRST))
    train(spark, archive, store, request(SECOND))
    evaluate(spark, archive, store, FIRST, NOW)
    register_version(store, FIRST)
    store.promote(FIRST, None, "meanwhile", "tests")
    with pytest.raises(ConflictError, match=f"{SECOND} continues no model, but the champion is now {FIRST}"):
        evaluate(spark, archive, store, SECOND, NOW)
    assert EVALUATION not in store.files(SECOND)


def test_a_tweet_that_is_deleted_after_the_training_is_not_evaluated(
    spark: SparkSession, archive: Settings, store: ModelStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    train(spark, archive, store, request(FIRST))
    evaluate(spark, archive, store, FIRST, NOW)
    held_out = read_json(store, FIRST, EVALUATION)["metrics"]["held_out"]
    register_version(store, FIRST)
    store.promote(FIRST, None, "first", "tests")

    train(spark, archive, store, request(SECOND))
    append(spark, archive, [tweet(9000 + i, ["late"], START) for i in range(200)], first_offset=10_000)
    delete(spark, archive, range(1300))
    assert evaluate(spark, archive, store, SECOND, NOW).state
    evaluation = read_json(store, SECOND, EVALUATION)
    assert evaluation["deleted"] == 1300
    assert "of the 2400 tweets of the training 1300 have been deleted since" in caplog.text
    assert evaluation["metrics"]["held_out"] < 0.6 * held_out
    manifest = register_version(store, SECOND)
    assert manifest["offsets"] == {"0": {"first": 0, "last": 2399, "count": 2400}}
    assert manifest["window"] == {"start": START.isoformat(), "end": (START + timedelta(hours=20)).isoformat()}

    train(spark, archive, store, request(THIRD))
    delete(spark, archive, range(1300, 1700))
    with pytest.raises(TooFewTweetsError, match="900 tweets between"):
        evaluate(spark, archive, store, THIRD, NOW)
    assert EVALUATION not in store.files(THIRD)


def test_a_training_of_an_older_release_is_done_again(
    spark: SparkSession, archive: Settings, store: ModelStore
) -> None:
    train(spark, archive, store, request(FIRST))
    training = read_json(store, FIRST, TRAINING)
    del training["offsets"]
    store.put_files(FIRST, {TRAINING: json.dumps(training).encode()})
    with pytest.raises(ConflictError, match="train again"):
        evaluate(spark, archive, store, FIRST, NOW)


def test_too_few_tweets_train_nothing(spark: SparkSession, local_archive: Settings, store: ModelStore) -> None:
    with pytest.raises(TooFewTweetsError, match="empty"):
        train(spark, local_archive, store, request(FIRST))
    append(spark, local_archive, [tweet(i, ["storm", "wind"], START) for i in range(50)])
    with pytest.raises(TooFewTweetsError, match="50 tweets between"):
        train(spark, local_archive, store, request(FIRST))
    assert store.files(FIRST) == []


def test_a_damaged_champion_is_not_loaded(spark: SparkSession, archive: Settings, store: ModelStore) -> None:
    train(spark, archive, store, request(FIRST))
    evaluate(spark, archive, store, FIRST, NOW)
    golden = read_json(store, FIRST, GOLDEN)
    golden["theta"] = (np.array(golden["theta"]) + 1e-5).tolist()
    store.put_files(FIRST, {GOLDEN: json.dumps(golden).encode()})
    register_version(store, FIRST)
    store.promote(FIRST, None, "damaged", "tests")
    with pytest.raises(IntegrityError, match="golden sample"):
        load_champion(store)


def test_without_a_champion_there_is_nothing_to_load(store: ModelStore) -> None:
    assert load_champion(store) is None
