"""Bad input of a training, an evaluation and a promotion ends in one sentence, and the champion stays: what needs no
Spark. The rest of the table is in tests/spark/topic_models/training/test_bad_input.py."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from tests.bad_input import FAILS, OPERATIONS, ROWS, page
from tests.unit.topic_models.registry.test_promotion_tasks import CHALLENGER, CHAMPION, PLANTED, Bench
from twitter_topics.backends.objects import S3Objects
from twitter_topics.errors import IntegrityError, TwitterTopicsError
from twitter_topics.settings import Settings
from twitter_topics.testing.corpora import as_lists, in_language, planted_documents
from twitter_topics.testing.models import planted_files
from twitter_topics.topic_models.registry.files import GOLDEN
from twitter_topics.topic_models.registry.gate import judge
from twitter_topics.topic_models.registry.store import ARRAYS, MANIFEST, ModelStore
from twitter_topics.topic_models.registry.succession import CHAMPION_KEY
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.scoring.topic_model import TopicModel
from twitter_topics.topic_models.training.alignment import Predecessor
from twitter_topics.topic_models.training.evaluation import compare, judged_languages, measure
from twitter_topics.topic_models.training.jobs import evaluate, train
from twitter_topics.topic_models.training.languages import AUTO, lost_languages, train_topics
from twitter_topics.topic_models.training.request import TrainingRequest
from twitter_topics.topic_models.training.retraining_tasks import decide
from twitter_topics.topic_models.training.trainers import GsdmmTrainer
from twitter_topics.topic_models.training.tweets import TrainingTweets
from twitter_topics.topic_models.training.when_to_retrain import Decision

NO_SPARK: Any = None
"""These tasks end before they need it."""

REQUEST = TrainingRequest(
    version="20261103T000000Z-gsdmm", trainer="gsdmm", k=8, iterations=15, seed=5,
    start=datetime(2026, 11, 1, tzinfo=UTC), end=datetime(2026, 11, 2, tzinfo=UTC),
    max_documents=100_000, min_documents=1_000,
)  # fmt: skip
IN_SPARK = Path(__file__).parents[2] / "spark" / "topic_models" / "training"
TESTS = (Path(__file__), IN_SPARK / "test_bad_input.py", IN_SPARK / "test_model_jobs.py")


def test_the_page_has_the_table_of_now() -> None:
    assert OPERATIONS.read_text(encoding="utf-8") == page(), "run `python -m tests.bad_input`"


def test_each_row_is_proved() -> None:
    proofs = "".join(path.read_text(encoding="utf-8") for path in TESTS)
    assert [key for key in ROWS if f'"{key}"' not in proofs] == []


def refused(key: str, task: Callable[[], object]) -> None:
    """Assert that a job ends as the table says."""
    with pytest.raises(TwitterTopicsError) as caught:
        task()
    assert ROWS[key].matches(str(caught.value)), caught.value
    assert ROWS[key].ends == str(caught.value.job_exit_code)


# --- training and evaluation


def as_tweets(documents: list[list[str]], languages: list[str]) -> TrainingTweets:
    slices = np.arange(len(documents)) % 20
    return TrainingTweets(as_lists(documents), slices, [], pa.array(languages, pa.string()))


@pytest.mark.parametrize(
    ("key", "documents", "languages"),
    [
        ("one word", [["storm"], ["flood"], ["rain"]] * 400, "all"),
        ("one word", [["storm"]] * 1200, AUTO),
        ("one word", [[]] * 1200, "all"),
        ("no language", [["storm", "flood"]] * 1200, "ja,pt"),
    ],
)
def test_tweets_that_say_too_little(key: str, documents: list[list[str]], languages: str) -> None:
    tweets, request = as_tweets(documents, ["en"] * len(documents)), replace(REQUEST, languages=languages)
    refused(key, lambda: train_topics(GsdmmTrainer(), tweets, 20, request, None))


def flipped(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1])


def test_a_flipped_byte_of_the_champion() -> None:
    bench = Bench()
    key = f"models/{CHAMPION}/{ARRAYS}"
    bench.objects.put(key, flipped(PLANTED.to_bytes()))
    refused("flipped champion", lambda: train(NO_SPARK, Settings({}), bench.models, REQUEST))
    bench.models.put_files(REQUEST.version, {"training.json": b"{}"})
    refused("flipped champion", lambda: evaluate(NO_SPARK, Settings({}), bench.models, REQUEST.version, REQUEST.end))


def test_a_version_whose_training_did_not_finish() -> None:
    bench = Bench()
    refused("unfinished training", lambda: evaluate(NO_SPARK, Settings({}), bench.models, REQUEST.version, REQUEST.end))


@pytest.mark.parametrize("key", ["denied", "away"])
def test_s3_that_does_not_serve(key: str) -> None:
    objects = S3Objects(Settings({"S3_BUCKET": "models", "S3_ACCESS_KEY_ID": "a", "S3_SECRET_ACCESS_KEY": "b"}).s3)
    client: Any = objects._client
    models = ModelStore(Settings({}), objects=objects)
    tasks: tuple[Callable[[], object], ...] = (
        lambda: train(NO_SPARK, Settings({}), models, REQUEST),
        lambda: evaluate(NO_SPARK, Settings({}), models, REQUEST.version, REQUEST.end),
    )

    def away(**_request: Any) -> None:
        raise EndpointConnectionError(endpoint_url="http://s3")

    if key == "away":
        client.meta.events.register("before-call.s3", away)
        for task in tasks:
            refused("away", task)
        return
    with Stubber(client) as s3:
        for task in tasks:
            s3.add_client_error("get_object", "AccessDenied", http_status_code=403)
            refused("denied", task)


def test_arrays_with_any_flipped_byte_are_read_or_refused_with_a_sentence() -> None:
    whole = PLANTED.to_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        with suppress(IntegrityError):
            TopicModel.from_bytes(bytes(damaged))
    for length in range(0, len(whole), 11):
        with pytest.raises(IntegrityError):
            TopicModel.from_bytes(whole[:length])


def test_a_window_without_a_language_of_the_champion() -> None:
    """The window has no tweet of it, so nothing is lost by it: the others go on under their ids."""
    english = planted_documents(1500, seed=1)[0]
    both = as_tweets([*english, *in_language(english, "de")], ["en"] * 1500 + ["de"] * 1500)
    request = replace(REQUEST, languages=AUTO)
    champion = train_topics(GsdmmTrainer(), both, 20, request, None)[0].model
    now = as_tweets(planted_documents(1500, seed=2)[0], ["en"] * 1500)
    trained, _ = train_topics(GsdmmTrainer(), now, 20, request, Predecessor(champion, champion.k))
    assert set(champion.languages) == {"en", "de"}
    assert trained.model.languages == ("en",)
    assert set(trained.model.topic_ids.tolist()) & set(champion.part("en").topic_ids.tolist())
    assert lost_languages(trained.model, champion, now.posts, request.min_documents) == ()
    scorer, serving = Scorer(trained.model), Scorer(champion)
    mine = now.in_languages(judged_languages(trained.model, champion))
    words, languages = mine.to_judge(5), mine.languages_to_judge(5)
    metrics, comparison = measure(scorer, words, languages), compare(scorer, serving, words, languages=languages)
    assert comparison.ratio is not None
    assert judge(metrics, comparison).reasons


# --- promotion


def in_format(number: int) -> bytes:
    """Return arrays that a later release may have written."""
    with np.load(io.BytesIO(PLANTED.to_bytes())) as arrays:
        later = dict(arrays) | {"format": np.int64(number)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **later)
    return buffer.getvalue()


UNSERVABLE = {
    "foreign file": {ARRAYS: b"something else"},
    "newer format": {ARRAYS: in_format(9)},
    "newer rules": {ARRAYS: replace(PLANTED, text_rules=9).to_bytes()},
    "foreign golden": {GOLDEN: json.dumps({"texts": ["storm"], "theta": [[0.1, 0.2, 0.7]]}).encode()},
}


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("key", ["flipped file", *UNSERVABLE])
def test_a_version_that_cannot_serve(key: str, force: bool) -> None:
    bench = Bench()
    bench.register(CHALLENGER, altered=UNSERVABLE.get(key))
    if key == "flipped file":
        bench.objects.put(f"models/{CHALLENGER}/{ARRAYS}", flipped(PLANTED.to_bytes()))
    not_promoted(bench, key, force=force)


def not_promoted(bench: Bench, key: str, *, force: bool = False) -> None:
    before = bench.models.champion()
    decision = bench.decide(force=force)
    assert (decision["state"], decision["promote"], ROWS[key].ends) == ("refuse", False, "*refuse*")
    assert len(decision["reasons"]) == 1
    assert ROWS[key].matches(decision["reasons"][0]), decision["reasons"]
    assert bench.models.champion() == before


FOREIGN = [
    {"what": 1},
    {"metrics": {}, "comparison": None},
    {"metrics": [1], "comparison": {"a": 1}},
    {"metrics": None},
]


@pytest.mark.parametrize("evaluation", FOREIGN)
def test_an_evaluation_of_something_else(evaluation: dict[str, Any]) -> None:
    bench = Bench()
    bench.models.put_files(CHALLENGER, planted_files())
    bench.models.register(CHALLENGER, {"evaluation": evaluation})
    not_promoted(bench, "foreign evaluation")


@pytest.mark.parametrize("manifest", [{}, {"evaluation": None}])
def test_a_version_that_was_never_evaluated(manifest: dict[str, Any]) -> None:
    bench = Bench()
    bench.models.put_files(CHALLENGER, planted_files())
    bench.models.register(CHALLENGER, manifest)
    not_promoted(bench, "never evaluated")


@pytest.mark.parametrize("evaluation", [None, {}, {"what": 1}, {"verdict": None}, {"verdict": {}}])
def test_a_retraining_after_a_version_of_something_else(evaluation: dict[str, Any] | None) -> None:
    bench = Bench()
    bench.models.put_files(CHALLENGER, planted_files())
    bench.models.register(CHALLENGER, {"evaluation": evaluation})

    def asked(*, by_person: bool) -> Decision:
        window: dict[str, Any] = {"at": REQUEST.end, "window_hours": 24}
        window |= {"min_documents": 1_000, "max_documents": 9_000}
        who: dict[str, Any] = {"asked_by_person": by_person, "models": bench.models, "archive": None}
        return decide(Settings({}), **window, **who)

    assert asked(by_person=True).train
    with pytest.raises(IntegrityError) as caught:
        asked(by_person=False)
    if evaluation:
        assert f"evaluation.json of model {CHALLENGER} lacks a verdict" in str(caught.value)
    else:
        assert ROWS["newest never evaluated"].matches(str(caught.value))


def unregistered(_bench: Bench) -> None: ...


def expired(bench: Bench) -> None:
    bench.register(CHALLENGER)
    bench.models.expire(CHALLENGER)


def damaged_champion(bench: Bench) -> None:
    bench.register(CHALLENGER)
    bench.objects.put(CHAMPION_KEY, b"{}")


def missing_champion(bench: Bench) -> None:
    bench.register(CHALLENGER)
    bench.objects.delete(CHAMPION_KEY)


def without_manifest(bench: Bench) -> None:
    bench.models.put_files(CHALLENGER, planted_files() | {GOLDEN: b""})
    assert MANIFEST not in bench.models.files(CHALLENGER)


@pytest.mark.parametrize(
    ("key", "prepare"),
    [
        ("unregistered", unregistered),
        ("unregistered", without_manifest),
        ("expired", expired),
        ("damaged champion", damaged_champion),
        ("missing champion", missing_champion),
    ],
)
@pytest.mark.parametrize("force", [False, True])
def test_a_promotion_that_cannot_be_decided(key: str, prepare: Callable[[Bench], None], force: bool) -> None:
    bench = Bench()
    prepare(bench)
    before = bench.objects.get(CHAMPION_KEY)
    with pytest.raises(IntegrityError) as caught:
        bench.decide(force=force)
    assert ROWS[key].matches(str(caught.value)), caught.value
    assert ROWS[key].ends == FAILS
    assert bench.objects.get(CHAMPION_KEY) == before
