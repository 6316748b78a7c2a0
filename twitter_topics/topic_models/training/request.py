"""The parameters of a training, checked by the caller (the DAG's form, the schedule) and again in the job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from twitter_topics.settings.values import LEAST_TOPICS, topic_languages
from twitter_topics.topic_models.registry.version import TRAINERS, check_version

CHAMPION, SCRATCH = STARTS = ("champion", "scratch")
"""Topics continue the champion's, or are trained from scratch and matched to them."""


@dataclass(frozen=True)
class TrainingRequest:
    """Parameters of one training. Event times from `start` (inclusive) to `end` (exclusive), UTC.

    Raises:
        ValueError: at construction, naming every parameter that is out of range.
    """

    version: str
    trainer: str
    k: int
    iterations: int
    seed: int
    start: datetime
    end: datetime
    max_documents: int
    min_documents: int
    languages: str = "all"
    """As TOPICS_LANGUAGES. A request that was stored before there was a choice is for all."""
    min_confidence: float = 0.0
    """As TOPICS_MIN_CONFIDENCE; 0 in requests that were stored before topics could be unclear."""
    start_from: str = CHAMPION
    """One of STARTS. spark-lda always starts from scratch."""

    def __post_init__(self) -> None:
        check_version(self.version)
        problems = [sentence for wrong, sentence in self._checks() if wrong]
        if problems:
            raise ValueError("; ".join(problems))

    def _checks(self) -> list[tuple[bool, str]]:
        aware = self.start.tzinfo is not None and self.end.tzinfo is not None
        return [
            (self.trainer not in TRAINERS, f"trainer {self.trainer!r}: one of {', '.join(TRAINERS)}"),
            (not LEAST_TOPICS <= self.k <= 200, f"k {self.k}: between {LEAST_TOPICS} and 200"),
            (not 1 <= self.iterations <= 1000, f"iterations {self.iterations}: between 1 and 1000"),
            (not 0 <= self.seed < 2**31, f"seed {self.seed}: between 0 and 2^31 - 1"),
            (not aware, "start and end need a time zone"),
            (aware and not self.start < self.end, f"start {self.start} is not before end {self.end}"),
            (not self.min_documents >= 100, f"min_documents {self.min_documents}: at least 100"),
            (
                not 2 * self.min_documents <= self.max_documents <= 20_000_000,
                f"max_documents {self.max_documents}: between twice min_documents and 20,000,000",
            ),
            (not _is_choice(self.languages), f"languages {self.languages!r}: auto, all or codes such as en,ja"),
            (not 0 <= self.min_confidence <= 1, f"min_confidence {self.min_confidence}: between 0 and 1"),
            (self.start_from not in STARTS, f"start_from {self.start_from!r}: one of {', '.join(STARTS)}"),
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for the manifest, times in ISO 8601."""
        return {
            "trainer": self.trainer,
            "k": self.k,
            "iterations": self.iterations,
            "seed": self.seed,
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "max_documents": self.max_documents,
            "min_documents": self.min_documents,
            "languages": self.languages,
            "min_confidence": self.min_confidence,
            "start_from": self.start_from,
        }


def _is_choice(languages: str) -> bool:
    try:
        return topic_languages(languages) == languages
    except ValueError:
        return False
