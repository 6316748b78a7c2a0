"""Settings of topics and sentiment."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from twitter_topics.settings.env_file import Section, section_config
from twitter_topics.settings.values import LEAST_TOPICS, TopicLanguages


class TopicsSettings(Section):
    """Training and promotion of topic models."""

    model_config = section_config("TOPICS_")

    trainer: Literal["gsdmm", "spark-lda"] = Field("gsdmm", description="training algorithm; spark-lda is the baseline")
    k: int = Field(
        20,
        ge=LEAST_TOPICS,
        le=200,
        description="number of topics, of the language with most tweets if languages have their own; a larger one than "
        "the champion's starts over",
    )
    iterations: int = Field(30, ge=1, le=1000, description="passes over the corpus when training starts from scratch")
    seed: int = Field(1, ge=0, le=2**31 - 1, description="the same seed and tweets train the same model")
    window_hours: int = Field(24 * 14, ge=1, le=24 * 3650, description="train on the newest hours of the archive")
    max_documents: int = Field(1_000_000, ge=1000, le=20_000_000, description="maximum tweets for a training")
    min_documents: int = Field(
        2_000,
        ge=100,
        le=20_000_000,
        validate_default=True,
        description="minimum usable tweets in the window for a training; at most half of TOPICS_MAX_DOCUMENTS",
    )
    min_new_tweets: int = Field(
        20_000,
        ge=1,
        description="new tweets since the newest model that trigger a retraining; also all tweets of the window, a day "
        "after it, or 1.5 times its tweets if it is a first one or the gate could not decide about it",
    )
    languages: TopicLanguages = Field(
        "auto",
        description="which languages have topics of their own: auto = each with TOPICS_MIN_DOCUMENTS tweets in the "
        "window, at most eight; codes such as en,ja = only these; all = one set of topics for all languages",
    )
    min_confidence: float = Field(
        0.5,
        ge=0,
        le=1,
        description="a tweet has a topic if another seed would serve the same one with this probability, estimated in "
        "training; at most a quarter of the tweets have none for that reason; 0 = each tweet with a known word has one",
    )
    promotion: Literal["automatic", "approval", "never"] = Field(
        "automatic",
        description="approval: what the gate would promote waits for a manual run of model_promotion with version and "
        "reason; never: only such a run with force promotes",
    )
    max_word_drift: float = Field(
        0.02,
        ge=0,
        le=1,
        description="bits by which the words of a day may differ from those that the champion was trained on, beyond "
        "what chance explains; above, the page advises retraining",
    )

    @field_validator("min_documents")
    @classmethod
    def _leaves_room(cls, value: int, info: ValidationInfo) -> int:
        most = info.data.get("max_documents", value * 2)
        if 2 * value > most:  # the newest tweets up to the maximum are nearly always fewer than the maximum
            raise ValueError(f"at most half of TOPICS_MAX_DOCUMENTS={most}")
        return value


class ModelsSettings(Section):
    """How long versions of the topic model are kept. The champion stays, and what documents name."""

    model_config = section_config("MODELS_")

    keep_days: int = Field(
        30, ge=1, le=36500, description="age in days at which a version expires; one that was champion stays so long"
    )
    keep_versions: int = Field(10, ge=1, le=1000, description="newest versions that are kept whatever their age")


class SentimentSettings(Section):
    """Sentiment of tweets."""

    model_config = section_config("SENTIMENT_")

    languages: str = Field(
        "en",
        description="codes of the languages of tweets that have a sentiment, comma-separated, or all; the lexicons are "
        "English",
    )

    @field_validator("languages")
    @classmethod
    def _are_codes(cls, value: str) -> str:
        names = [name.strip().lower() for name in value.split(",")]
        if not all(re.fullmatch(r"[a-z]{2,3}", name) for name in names):
            raise ValueError("use codes of two or three letters such as en, comma-separated, or all")
        return ",".join(names)

    @property
    def codes(self) -> frozenset[str]:
        """The codes, or `all`."""
        return frozenset(self.languages.split(","))
