"""The steps that `make bench-classifier` tells apart are those that the workers go through."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from types import CodeType, FrameType

from benchmarks.classifier import BETWEEN, STEPS, Sampler, classifier, one_round, record_batches
from benchmarks.speed.running import trained
from benchmarks.speed.tweets import Tweets
from twitter_topics.topic_models.scoring.scorer import Scorer


def test_every_step_is_one_of_the_workers(tmp_path: Path) -> None:
    tweets = Tweets(None)
    arrays = trained(tweets.texts(500)).to_bytes()
    file = tweets.write(tmp_path / "tweets.gz", 50, hours=1)
    called: set[CodeType] = set()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            called.add(frame.f_code)

    batches = record_batches(gzip.decompress(file.read_bytes()).splitlines())
    sys.setprofile(note)
    try:
        documents = one_round(classifier(arrays), Scorer.load(arrays), batches)
    finally:
        sys.setprofile(None)
    assert documents == 50
    assert [step for step, function in STEPS.items() if function.__code__ not in called] == []


def test_a_tick_belongs_to_the_outermost_step() -> None:
    sampler = Sampler({"outer": outer, "inner": inner})
    outer(sampler)
    inner(sampler)
    sampler.tick(0, sys._getframe())
    assert sampler.ticks == {"outer": 1, "inner": 1, BETWEEN: 1}


def outer(sampler: Sampler) -> None:
    inner(sampler)


def inner(sampler: Sampler) -> None:
    sampler.tick(0, sys._getframe())
