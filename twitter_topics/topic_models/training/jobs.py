"""The two jobs that produce a model version: train it on the archive, then evaluate it."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from twitter_topics.archive.rows import current_snapshot, raw_table
from twitter_topics.errors import ConflictError, TooFewTweetsError
from twitter_topics.topic_models.registry import files, json_objects
from twitter_topics.topic_models.registry.files import BIRTHS, EVALUATION, GOLDEN, TOPICS, TRAINING, read_json
from twitter_topics.topic_models.registry.gate import Verdict, judge
from twitter_topics.topic_models.registry.metrics import HELD_OUT, MEASURED
from twitter_topics.topic_models.registry.store import ARRAYS, ModelStore
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.scoring.topic_model import TopicModel
from twitter_topics.topic_models.training import pipelines
from twitter_topics.topic_models.training.alignment import Identities, Predecessor
from twitter_topics.topic_models.training.births import Birth, after, as_json, births_of, from_json
from twitter_topics.topic_models.training.confidence import with_clear_topics
from twitter_topics.topic_models.training.corpus import held_out_one_in
from twitter_topics.topic_models.training.evaluation import judged_languages
from twitter_topics.topic_models.training.extent import Extent
from twitter_topics.topic_models.training.from_scratch import from_scratch, is_due, trainings_since_scratch
from twitter_topics.topic_models.training.labels import top_words, topic_labels
from twitter_topics.topic_models.training.languages import births_for, lost_languages, train_topics, with_unused_ids
from twitter_topics.topic_models.training.later import measure_later
from twitter_topics.topic_models.training.metrics import Contest, SliceTweets, judged, measured_file, measured_slice
from twitter_topics.topic_models.training.request import CHAMPION, TrainingRequest
from twitter_topics.topic_models.training.spark_lda import SparkLdaTrainer
from twitter_topics.topic_models.training.spark_text import pipeline_model
from twitter_topics.topic_models.training.trainers import GsdmmTrainer, Trainer
from twitter_topics.topic_models.training.tweets import ArchivedTweets, read_again, read_tweets

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import SparkSession

    from twitter_topics.settings import Settings

log = logging.getLogger(__name__)

_AGREEMENT_TEXTS = 200


@dataclass(frozen=True)
class _Champion:
    """The champion that the training continues."""

    version: str
    etag: str
    topics: Predecessor
    k: int
    held_out_one_in: int
    trainings_since_scratch: int


def train(spark: SparkSession, settings: Settings, store: ModelStore, request: TrainingRequest) -> None:
    """Train topics and write the files of the version (not its manifest). A repeated run starts from scratch.

    Raises:
        TooFewTweetsError: fewer distinct tweets in the window than `request.min_documents`.
        ConflictError: the version is already registered.
    """
    started = time.monotonic()
    store.discard(request.version)
    champion = _champion(store)
    snapshot = _snapshot(spark, settings)
    tweets = read_tweets(
        spark, settings, snapshot=snapshot, start=request.start, end=request.end, max_tweets=request.max_documents
    )
    _require_enough(tweets, request)
    one_in = held_out_one_in(tweets.count)
    trainer, before = _trainer(spark, request, champion), champion.topics if champion else None
    trained, documents = train_topics(trainer, tweets, one_in, request, before)
    if champion is None:  # versions may be waiting for a person to promote one
        trained = with_unused_ids(trained, store.next_registered_topic_id())
    store.use_topic_ids(trained.identities.next_topic_id)
    labels = topic_labels(trained.model, champion.topics.labels if champion else {}, tweets)
    model = trained.model.with_identity(trained.model.topic_ids, labels)
    model, confidence = with_clear_topics(model, tweets, one_in, request)
    births = after(births_for(model, champion.topics.births) if champion else (), model, request.version)
    pipelines.save_pipeline(spark, settings, store, request.version, pipeline_model(spark, model))
    training = {
        "request": request.as_dict(),
        "text_rules": model.text_rules,
        "snapshot": snapshot,
        **tweets.extent.as_json(),
        "tweets": tweets.count,
        "held_out_one_in": one_in,
        "documents": documents,
        "vocabulary": len(model.vocabulary),
        "topics": model.k,
        "confidence": confidence,
        "next_topic_id": trained.identities.next_topic_id,
        "warm_start_version": champion.version if champion else None,
        "trainings_since_scratch": trainings_since_scratch(
            trainer, before, tweets.posts, request, champion.trainings_since_scratch if champion else 0
        ),
        "seconds": round(time.monotonic() - started, 1),
    }
    tables = {
        TOPICS: json_objects.encode({"topics": topic_table(model, trained.identities)}),
        BIRTHS: json_objects.encode(as_json(births)),
        TRAINING: json_objects.encode(training),
    }
    store.put_files(request.version, {ARRAYS: model.to_bytes(), **tables})
    log.info("model %s: %s topics in %s s", request.version, model.k, training["seconds"])


def evaluate(spark: SparkSession, settings: Settings, store: ModelStore, version: str, now: datetime) -> Verdict:
    """Evaluate a trained version against the champion on the held-out tweets that its training read, without those
    that have been deleted since.

    Writes `evaluation.json`, `measured.json` and `golden.json`.

    Raises:
        IntegrityError: the scorer and the Spark pipeline disagree.
        TooFewTweetsError: fewer than `min_documents` are left.
        ConflictError: the version is already registered, its training did not finish, another champion serves than it
            was aligned to, or its tweets cannot be read again.
    """
    training = read_json(store, version, TRAINING)
    champion = _champion(store)
    _require_aligned(version, training["warm_start_version"], champion)
    scorer = Scorer.load(store.read_unregistered(version, ARRAYS))
    pipeline = pipelines.load_pipeline(spark, settings, store, version)
    request = _stored_request(version, training["request"])
    extent, snapshot = _extent(version, training), _snapshot(spark, settings)
    tweets = read_again(spark, settings, extent, snapshot=snapshot, rules=scorer.rules)
    deleted = extent.deleted_until(tweets.extent)
    log.info("of the %d tweets of the training %d have been deleted since", extent.tweets, deleted)
    _require_enough(tweets, request)

    golden, agreement = _agreement(spark, pipeline, scorer, tweets)

    contest = _contest(version, scorer, champion)
    asked = judged_languages(scorer.model, champion.topics.model if champion else None)
    theirs = tweets
    if contest.champion is not None and contest.champion.rules != scorer.rules:
        theirs = read_again(spark, settings, extent, snapshot=snapshot, rules=contest.champion.rules)
    # neither was trained on these
    one_in = max(files.held_out_one_in(training), champion.held_out_one_in if champion else 0)
    held_out = _held_out(extent, tweets, theirs, asked, one_in)
    metrics, comparison = judged(contest, held_out)
    if champion is not None and comparison is not None:
        lost = lost_languages(scorer.model, champion.topics.model, tweets.posts, request.min_documents)
        comparison = replace(comparison, lost=lost, asked=(request.k, champion.k))
    verdict = judge(metrics, comparison)
    scratch = None
    if champion is not None and is_due(training):
        trained_without, seen = files.held_out_one_in(training), (held_out.words, held_out.languages)
        scratch = from_scratch(scorer, champion.topics, tweets, request, trained_without=trained_without, judged=seen)
    measured, topic_documents = measured_slice(contest, held_out, metrics, comparison)
    later = measure_later(spark, settings, request, contest, asked, snapshot=snapshot, now=now)
    evaluation = {
        "deleted": deleted,
        "metrics": asdict(metrics),
        "comparison": asdict(comparison) if comparison else None,
        "champion": {"version": champion.version, "etag": champion.etag} if champion else None,
        "agreement": agreement,
        "later": later.as_dict() if later else None,
        "verdict": verdict.as_dict(),
        "from_scratch": scratch,
    }
    slices = [measured, *([later.measured] if later else [])]
    tables = {GOLDEN: golden, EVALUATION: evaluation, MEASURED: measured_file(topic_documents, slices)}
    store.put_files(version, {name: json_objects.encode(content) for name, content in tables.items()})
    for reason in verdict.reasons:
        log.info("%s: %s", verdict.state, reason)
    return verdict


def topic_table(model: TopicModel, identities: Identities) -> list[dict[str, Any]]:
    """Return the topics for people, in the model's order, as in TOPICS."""
    return [
        {
            "topic_id": int(model.topic_ids[topic]),
            "label": model.labels[topic],
            **({"language": model.topic_languages[topic]} if model.languages else {}),
            "top_words": words,
            "documents": int(model.documents[topic]),
            "share": round(float(model.topic_shares[topic]), 6),
            "status": "kept" if identities.kept[topic] else "new",
        }
        for topic, words in enumerate(top_words(model))
    ]


def _snapshot(spark: SparkSession, settings: Settings) -> int:
    exists = spark.catalog.tableExists(raw_table(settings))  # before the archiver has started it does not
    snapshot = current_snapshot(spark, settings) if exists else None
    if snapshot is None:
        msg = "the archive is empty"
        raise TooFewTweetsError(msg)
    return snapshot


def _require_enough(tweets: ArchivedTweets, request: TrainingRequest) -> None:
    if tweets.count < request.min_documents:
        msg = (
            f"{tweets.count:,} tweets between {request.start:%Y-%m-%d %H:%M} and {request.end:%Y-%m-%d %H:%M} UTC; "
            f"at least {request.min_documents:,} are required (TOPICS_MIN_DOCUMENTS)"
        )
        raise TooFewTweetsError(msg)


def _extent(version: str, training: dict[str, Any]) -> Extent:
    if "offsets" not in training:
        msg = f"an older release trained model {version} and did not record which tweets it read; train again"
        raise ConflictError(msg)
    return Extent.from_json(training)


def _agreement(
    spark: SparkSession, pipeline: PipelineModel, scorer: Scorer, tweets: ArchivedTweets
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Score the golden sample and some of the tweets by Spark's pipeline and by the scorer.

    Returns:
        The content of GOLDEN; and {texts, largest_difference}.

    Raises:
        IntegrityError: they disagree.
    """
    golden = pipelines.golden_texts(scorer)
    texts = [*(text for text, _ in golden), *tweets.sample_texts[:_AGREEMENT_TEXTS]]
    languages = [*(language for _, language in golden), *tweets.sample_languages[:_AGREEMENT_TEXTS]]
    theta = pipelines.pipeline_theta(spark, pipeline, texts, scorer.model, languages)
    difference = pipelines.check_agreement(scorer, texts, theta, languages)
    log.info("scorer and Spark pipeline agree on %s texts, largest difference %.1e", len(theta), difference)
    recorded = {"texts": texts[: len(golden)], "theta": theta[: len(golden)].tolist()}
    if scorer.model.languages:
        recorded["languages"] = languages[: len(golden)]
    return recorded, {"texts": len(theta), "largest_difference": difference}


def _contest(version: str, scorer: Scorer, champion: _Champion | None) -> Contest:
    if champion is None:
        return Contest(version, scorer)
    return Contest(version, scorer, champion.version, Scorer(champion.topics.model))


def _held_out(
    extent: Extent, tweets: ArchivedTweets, theirs: ArchivedTweets, languages: tuple[str, ...], one_in: int
) -> SliceTweets:
    """Return one tweet in `one_in`, of these languages if there are any.

    Args:
        theirs: the same tweets by the champion's text rules.
    """
    mine, other = (one.in_languages(languages) if languages else one for one in (tweets, theirs))
    words, spoken = mine.to_judge(one_in), mine.languages_to_judge(one_in)
    return SliceTweets(HELD_OUT, extent.start, extent.end, words, other.to_judge(one_in), spoken)


def _champion(store: ModelStore) -> _Champion | None:
    champion = store.champion()
    if champion is None:
        return None
    model = TopicModel.from_bytes(store.load_arrays(champion.version))
    manifest = store.manifest(champion.version)
    # ids of newer versions must not be reused after a rollback, nor those of expired ones
    next_topic_id = max(int(manifest.get("next_topic_id", 0)), store.next_topic_id(), int(model.topic_ids.max()) + 1)
    topics = Predecessor(model, next_topic_id, _births(store, champion.version, manifest, model))
    k, one_in = int(manifest.get("parameters", {}).get("k", model.k)), files.held_out_one_in(manifest)
    return _Champion(
        champion.version, champion.etag, topics, k, one_in, int(manifest.get("trainings_since_scratch", 0))
    )


def _births(store: ModelStore, version: str, manifest: dict[str, Any], model: TopicModel) -> tuple[Birth, ...]:
    if BIRTHS not in manifest["files"]:  # a version from before topics were anchored
        return births_of(model, version)
    return from_json(json_objects.decode(store.read(version, BIRTHS), f"{BIRTHS} of model {version}"))


def _require_aligned(version: str, aligned_to: str | None, champion: _Champion | None) -> None:
    """Topic ids mean the same only in a version and the champion that it was aligned to."""
    serving = champion.version if champion else None
    if aligned_to != serving:
        msg = (
            f"model {version} continues {aligned_to or 'no model'}, but the champion is now {serving or 'none'}: "
            "nothing was evaluated; train again"
        )
        raise ConflictError(msg)


def _trainer(spark: SparkSession, request: TrainingRequest, champion: _Champion | None) -> Trainer:
    if request.trainer != "gsdmm":
        return SparkLdaTrainer(spark)
    finer = champion is not None and request.k > champion.k
    if finer:  # topics that go on do not split
        log.info("more topics than the champion was trained for: a start from scratch, matched to its topics")
    return GsdmmTrainer(anchored=not finer and request.start_from == CHAMPION)


def _stored_request(version: str, stored: dict[str, Any]) -> TrainingRequest:
    times = {name: datetime.fromisoformat(stored[name]) for name in ("start", "end")}
    return TrainingRequest(version=version, **{**stored, **times})
