"""Whether topics find the themes of the made-up stream: theme and topic of each tweet on the demo's day.

    make bench-themes        # or: python -m benchmarks.themes

The trainer is told nothing about themes. Reading, training and scoring are those of the jobs; neither Spark nor S3
runs. Writes benchmarks/results/themes.json.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import report
from benchmarks.circumstances import machine
from producer.sources.synthetic.languages import load_languages
from producer.sources.synthetic.stream import Stream
from producer.sources.synthetic.themes import load_themes
from twitter_topics.records.content import Content
from twitter_topics.records.processed import NO_TOPIC
from twitter_topics.settings import ProducerSettings, TopicsSettings
from twitter_topics.topic_models.scoring.scorer import Scorer
from twitter_topics.topic_models.scoring.text import content_words
from twitter_topics.topic_models.scoring.topic_model import TopicModel
from twitter_topics.topic_models.training.corpus import count_known, held_out_one_in, slice_of, spoken
from twitter_topics.topic_models.training.languages import train_topics
from twitter_topics.topic_models.training.request import TrainingRequest
from twitter_topics.topic_models.training.trainers import GsdmmTrainer
from twitter_topics.topic_models.training.tweets import TrainingTweets, original_id

BEGIN_MS = 1_793_491_200_000  # 2026-11-01T00:00Z
SEEDS = (1, 2, 3)
STREAMS = {"default": "", "five languages": "en,es,pt,ja,de"}
SETS = {"one set of topics": "all", "topics per language": "auto"}

MIN_SHARE = 0.02
"""A language in a smaller share of the tweets has no figure of its own."""

_BATCH = 5_000
_SHOWN = 6

Names = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Day:
    """A day of the stream: tweets as the training reads them, and the text, language and theme of each.

    A retweet has the theme of its original.
    """

    tweets: TrainingTweets
    texts: list[str]
    languages: Names
    themes: Names


@dataclass(frozen=True)
class Labelled:
    """Theme, language and topic of some tweets."""

    themes: Names
    languages: Names
    topics: Names


def read(languages: str, seed: int, tweets: int) -> Day:
    """Return the first tweets of a stream that begins at midnight, at the demo's rate."""
    rate = ProducerSettings.model_fields["synthetic_rate"].default
    stream = Stream(seed, rate, BEGIN_MS, load_themes(), load_languages(languages))
    bodies = [stream.tweet(index)[1] for index in range(tweets)]
    contents = [Content(body) for body in bodies]
    texts, codes = [one.prose for one in contents], [one.language.code for one in contents]
    words = pa.array(map(content_words, texts, codes), pa.list_(pa.string()))
    slices = np.array([slice_of(original_id(body, body["id_str"])) for body in bodies])
    themes = np.array([stream.talk(index).theme.name for index in range(tweets)])
    return Day(TrainingTweets(words, slices, [], pa.array(codes)), texts, np.array(codes), themes)


def train(tweets: TrainingTweets, languages: str) -> TopicModel:
    """Train as the job does with the default settings. `languages` is TOPICS_LANGUAGES."""
    defaults = {name: field.default for name, field in TopicsSettings.model_fields.items()}
    chosen = {name: defaults[name] for name in ("trainer", "k", "iterations", "seed", "max_documents", "min_documents")}
    span = (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))
    request = TrainingRequest("20261102T000000Z-gsdmm", start=span[0], end=span[1], languages=languages, **chosen)
    trained, _ = train_topics(GsdmmTrainer(), tweets, held_out_one_in(tweets.count), request, None)
    return trained.model


def clusters(model: TopicModel, day: Day) -> Labelled:
    """Return the topics of the training documents in the trainer's own mixture: one topic for each document."""
    words, languages = day.tweets.words, day.tweets.languages
    counts = count_known(spoken(words, languages) if model.languages else words, model.vocabulary)
    trained = day.tweets.slices % held_out_one_in(day.tweets.count) != 0
    documents = np.flatnonzero(trained & (np.asarray(counts.sum(axis=1)).ravel() >= 2))
    fit = counts[documents] @ np.log(model.word_shares).T + np.log(model.documents)
    return Labelled(day.themes[documents], day.languages[documents], model.topic_ids[np.argmax(fit, axis=1)])


def served(model: TopicModel, day: Day) -> Labelled:
    """Return the dominant topic of every tweet of the day, as the classifier stores it."""
    scorer, codes = Scorer(model), day.languages.tolist()
    batches = [slice(start, start + _BATCH) for start in range(0, len(day.texts), _BATCH)]
    topics = [scorer.dominant(scorer.score(day.texts[batch], codes[batch]).theta) for batch in batches]
    return Labelled(day.themes, day.languages, np.concatenate(topics))


def information(first: Names, second: Names) -> float:
    """Return the normalized mutual information of two labellings: 1 for equal ones, 0 for independent ones.

    Normalized by the mean of the entropies, as scikit-learn does.
    """
    joint = _table(first, second)
    joint /= joint.sum()
    both, one, other = (_entropy(shares) for shares in (joint.ravel(), joint.sum(axis=1), joint.sum(axis=0)))
    return 2 * (one + other - both) / (one + other) if one + other else 1.0


def purity(themes: Names, topics: Names) -> float:
    """Return the share of tweets whose theme is the most frequent one of their topic."""
    return float(_table(themes, topics).max(axis=0).sum() / len(themes))


def agreement(found: Labelled) -> dict[str, Any]:
    """Return how well topics agree with themes: of all tweets, and within each language (and their mean by tweets)."""
    within = {
        language: information(found.themes[own], found.topics[own])
        for language, count in Counter(found.languages.tolist()).most_common()
        if count >= MIN_SHARE * len(found.languages)
        for own in [found.languages == language]
    }
    weights = [int(np.sum(found.languages == language)) for language in within]
    return {
        "nmi": information(found.themes, found.topics),
        "purity": purity(found.themes, found.topics),
        "nmi_within": float(np.average(list(within.values()), weights=weights)),
        "nmi_by_language": within,
    }


def of_own_language(found: Labelled) -> float:
    """Return the share of tweets whose topic has most of its tweets in their language; none has no topic."""
    most = {
        topic: Counter(found.languages[found.topics == topic].tolist()).most_common(1)[0][0]
        for topic in set(found.topics.tolist()) - {NO_TOPIC}
    }
    own = [most.get(topic) == code for topic, code in zip(found.topics.tolist(), found.languages.tolist(), strict=True)]
    return float(np.mean(own))


def mixed(found: Labelled) -> dict[str, float]:
    """Return which themes share a topic: the share of tweets in a topic of another theme, by the two themes."""
    pairs: Counter[str] = Counter()
    for topic in set(found.topics.tolist()):
        themes = Counter(found.themes[found.topics == topic].tolist())
        main = themes.most_common(1)[0][0]
        pairs.update({f"{theme} in {main}": count for theme, count in themes.items() if theme != main})
    return {pair: count / len(found.topics) for pair, count in pairs.most_common(_SHOWN)}


def measure(day: Day, languages: str) -> dict[str, Any]:
    """Train on a day and measure the topics at both levels."""
    model = train(day.tweets, languages)
    stored = served(model, day)
    return {
        "topics": model.k,
        "clusters": agreement(clusters(model, day)),
        "served": agreement(stored),
        "without_topic": float(np.mean(stored.topics == NO_TOPIC)),
        "own_language": of_own_language(stored),
        "mixed": mixed(stored),
    }


def _table(first: Names, second: Names) -> np.ndarray[Any, np.dtype[np.float64]]:
    (ones, one), (others, other) = (np.unique(labels, return_inverse=True) for labels in (first, second))
    table = np.zeros((len(ones), len(others)))
    np.add.at(table, (one, other), 1)
    return table


def _entropy(shares: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    hours = ProducerSettings.model_fields["synthetic_history_hours"].default
    tweets = int(hours * 3_600 * ProducerSettings.model_fields["synthetic_rate"].default)
    parser.add_argument("--tweets", type=int, default=tweets, help="of each day (default: the demo's %(default)s)")
    options = parser.parse_args()
    rows = []
    for stream, spoken_there in STREAMS.items():
        days = [read(spoken_there, seed, options.tweets) for seed in SEEDS]
        ideal = [information(day.themes, np.char.add(day.themes, day.languages)) for day in days]
        for kind, languages in SETS.items():
            runs = [measure(day, languages) for day in days]
            rows.append({"stream": stream, "kind": kind, "ideal_nmi": ideal, "runs": runs})
            shown = [f"{one['served']['nmi']:.3f} within {one['served']['nmi_within']:.3f}" for one in runs]
            print(f"{stream:15} {kind:20} NMI served {', '.join(shown)}", flush=True)
    result = {
        "measured_on": datetime.now(UTC).date().isoformat(),
        "tweets": options.tweets,
        "themes": len(load_themes()),
        "seeds": list(SEEDS),
        "machine": machine(),
        "versions": {"Python": platform.python_version()}
        | {name: metadata.version(name) for name in ("numba", "numpy", "scipy")},
        "rows": rows,
    }
    report.THEMES.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    report.write()


if __name__ == "__main__":
    main()
