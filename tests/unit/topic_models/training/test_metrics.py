"""The numbers of an evaluation that are kept: of all tweets and of each language, of both models."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from twitter_topics.testing.corpora import as_lists, in_language, planted_documents
from twitter_topics.testing.models import model_of_languages
from twitter_topics.topic_models.registry.metrics import Metric, slices_from
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.training import evaluation, metrics
from twitter_topics.topic_models.training.corpus import build_corpus, count_known
from twitter_topics.topic_models.training.evaluation import compare, measure
from twitter_topics.topic_models.training.metrics import Contest, SliceTweets, measured_file, measured_slice
from twitter_topics.topic_models.training.paired import against_unigram
from twitter_topics.topic_models.training.topic_quality import completion_perplexity, unigram_perplexity
from twitter_topics.topic_models.training.trainers import GsdmmTrainer

START = datetime(2026, 11, 1, tzinfo=UTC)
NEW, OLD = "20261102T000000Z-gsdmm", "20261101T000000Z-gsdmm"


def scorer(seed: int) -> Scorer:
    """Return topics of English and German."""
    parts = {}
    for language, size in (("en", 1500), ("de", 800)):
        documents, _ = planted_documents(size, seed=seed)
        corpus = build_corpus(as_lists(documents if language == "en" else in_language(documents, language)))
        parts[language] = GsdmmTrainer().fit(corpus, k=5, iterations=10, seed=seed).model
    whole = model_of_languages(parts)
    return Scorer(whole.with_identity(np.arange(whole.k), ()))


@pytest.fixture(scope="module")
def held_out() -> SliceTweets:
    english, german = planted_documents(300, seed=8)[0], in_language(planted_documents(100, seed=9)[0], "de")
    words, languages = as_lists([*english, *german, ["unheard"]]), pa.array(["en"] * 300 + ["de"] * 101)
    return SliceTweets("held_out", START, START + timedelta(days=1), words, words, languages)


@pytest.fixture(scope="module")
def contest() -> Contest:
    return Contest(NEW, scorer(1), OLD, scorer(2))


def found(contest: Contest, tweets: SliceTweets) -> dict[tuple[str, str, str], Metric]:
    assert contest.champion is not None
    judged = measure(contest.challenger, tweets.words, tweets.languages)
    compared = compare(contest.challenger, contest.champion, tweets.words, tweets.champion_words, tweets.languages)
    measured, _ = measured_slice(contest, tweets, judged, compared)
    by_key: dict[tuple[str, str, str], Metric] = {(one.role, one.language, one.metric): one for one in measured.metrics}
    assert len(by_key) == len(measured.metrics)
    return by_key


def test_each_language_has_rows_of_its_own(contest: Contest, held_out: SliceTweets) -> None:
    rows = found(contest, held_out)
    assert {(one.role, one.version) for one in rows.values()} == {("challenger", NEW), ("champion", OLD)}
    alike = {
        "perplexity_to_unigram",
        "known_words",
        "share_without_topic",
        "share_of_largest_topic",
        "topics",
        "diversity",
    }
    for role in ("challenger", "champion"):
        for language in ("en", "de"):
            assert {metric for one, code, metric in rows if (one, code) == (role, language)} == alike
    assert rows["challenger", "en", "share_without_topic"].documents == 300
    assert rows["challenger", "de", "share_without_topic"].value == pytest.approx(1 / 101)
    assert rows["challenger", "all", "share_without_topic"].value == pytest.approx(1 / 401)
    topics = [rows["challenger", language, "topics"].value for language in ("en", "de", "all")]
    assert topics[0] + topics[1] == topics[2] == contest.challenger.model.k
    of_comparison = {metric for role, language, metric in rows if (role, language) == ("challenger", "all")} - alike
    assert of_comparison == {"perplexity_to_champion", "share_kept", "share_kept_confident"}
    assert rows["challenger", "all", "perplexity_to_champion"].documents == 401


def test_coherence_is_kept_where_it_is_measured(
    contest: Contest, held_out: SliceTweets, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ("challenger", "en", "coherence") not in found(contest, held_out)
    for module in (evaluation, metrics):
        monkeypatch.setattr(module, "MIN_REFERENCE", 200)
    rows = found(contest, held_out)
    assert rows["challenger", "en", "coherence"].value == rows["challenger", "all", "coherence"].value > 0
    assert ("challenger", "de", "coherence") not in rows


def test_the_ratio_to_word_frequencies_has_the_perplexities_of_the_gate(contest: Contest) -> None:
    part = contest.challenger.model.part("en")
    counts = count_known(as_lists(planted_documents(200, seed=8)[0]), part.vocabulary)
    paired = against_unigram(Scorer(part), counts)
    expected = completion_perplexity(Scorer(part), counts), unigram_perplexity(part, counts)
    assert paired.perplexities == pytest.approx(expected)
    interval = paired.ratio_interval()
    assert interval is not None
    assert interval.low < expected[0] / expected[1] < interval.high < 1
    nothing = against_unigram(Scorer(part), counts[:0])
    assert (len(nothing.words), nothing.ratio_interval()) == (0, None)


def test_the_file_of_a_version_gives_the_same_slices(contest: Contest, held_out: SliceTweets) -> None:
    judged = measure(contest.challenger, held_out.words, held_out.languages)
    first = replace(contest, champion_version="", champion=None)
    measured, topic_documents = measured_slice(first, held_out, judged, None)
    assert {one.role for one in measured.metrics} == {"challenger"}
    content = measured_file(topic_documents, [measured])
    assert slices_from(content) == (measured,)
    assert (len(content["topic_documents"]), sum(content["topic_documents"])) == (contest.challenger.model.k, 400)
