"""Which tweets after its window a version is measured on, with a fake archive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest

from twitter_topics.settings import Settings
from twitter_topics.testing.models import WORDS, planted_model
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.training import later
from twitter_topics.topic_models.training.extent import Extent
from twitter_topics.topic_models.training.metrics import Contest
from twitter_topics.topic_models.training.request import TrainingRequest
from twitter_topics.topic_models.training.tweets import ArchivedTweets

END = datetime(2026, 11, 27, 4, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
REQUEST = TrainingRequest(
    version="20261127T040000Z-gsdmm", trainer="gsdmm", k=8, iterations=15, seed=1, start=END - 14 * DAY, end=END,
    max_documents=100_000, min_documents=1_000,
)  # fmt: skip


class Archive:
    """Has `count` tweets in any range; of these, those from `begins` on are read."""

    def __init__(self, count: int = later.MIN_LATER, begins: datetime = END) -> None:
        self._count, self._begins = count, begins
        self.asked: list[tuple[datetime, datetime]] = []

    def read_tweets(self, *_: Any, start: datetime, end: datetime, **__: Any) -> ArchivedTweets:
        self.asked.append((start, end))
        words = pa.array([list(WORDS[:3])] * self._count)
        extent = Extent(max(start, self._begins), end, {})
        return ArchivedTweets(words, np.zeros(self._count, int), [], pa.array(["en"] * self._count), extent)


def measured(archive: Archive, now: datetime, monkeypatch: pytest.MonkeyPatch) -> later.Later | None:
    monkeypatch.setattr(later, "read_tweets", archive.read_tweets)
    contest = Contest(REQUEST.version, Scorer(planted_model(WORDS, ("weather", "music"))))
    no_spark = cast("Any", None)
    return later.measure_later(no_spark, Settings({}), REQUEST, contest, (), snapshot=1, now=now)


@pytest.mark.parametrize(("now", "end"), [(END + HOUR, END + HOUR), (END + 30 * DAY, END + 14 * DAY)])
def test_the_slice_ends_when_it_is_measured_at_the_latest(
    now: datetime, end: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = Archive()
    found = measured(archive, now, monkeypatch)
    assert found is not None
    assert (found.measured.start, found.measured.end) == (END, end)
    assert archive.asked == [(END, end)]


def test_the_slice_begins_where_its_tweets_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more than a measurement reads, the newest were read."""
    found = measured(Archive(begins=END + HOUR), END + DAY, monkeypatch)
    assert found is not None
    assert found.as_dict()["start"] == (END + HOUR).isoformat()


def test_there_is_none_before_the_window_ends_or_of_few_tweets(monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive()
    assert measured(archive, END, monkeypatch) is None
    assert archive.asked == []
    assert measured(Archive(later.MIN_LATER - 1), END + DAY, monkeypatch) is None
