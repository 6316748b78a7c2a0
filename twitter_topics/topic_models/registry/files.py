"""Files of a model version next to its arrays, and what its manifest says. Needs no JVM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twitter_topics.errors import IntegrityError
from twitter_topics.topic_models.registry import json_objects
from twitter_topics.topic_models.registry.gate import (
    Comparison,
    Interval,
    LanguageComparison,
    LanguageMetrics,
    Metrics,
    State,
)
from twitter_topics.topic_models.registry.store import ModelStore

PIPELINE = "pipeline"
"""Folder of the standard Spark PipelineModel. Its columns are `text`, which must be in NFKC, and `language`, a code of
ISO 639; a model with text rules 1 needs only `text`, as it is."""

TOPICS = "topics.json"
"""{topics: list of {topic_id, label, top_words, documents, share, status}}, largest topic first; status is `new` or
`kept`. If languages have their own topics, each also has its `language`, and those of a language stand together."""

BIRTHS = "births.json"
"""{births: list of {topic_id, version, label, words, shares, small_trainings, retired}}: all topics of this version and
of those before it, as they were when they got their id. Versions from before topics were anchored lack it."""

TRAINING = "training.json"
"""{request, text_rules, snapshot, window, offsets, tweets, held_out_one_in, documents, vocabulary, topics, confidence,
next_topic_id, warm_start_version, trainings_since_scratch, seconds}. Without `text_rules` it has rules 1. `window`
{start, end} are the event times that were read: it starts later than the request's if there were too many tweets.
`offsets` {partition: {first, last, count}} are those of the raw topic; older versions lack both. `confidence`: by
language (`all` for one set of topics) {tweets, agreement, curve, min_share, confidence}; see training/confidence.py."""

EVALUATION = "evaluation.json"
"""{deleted, metrics, comparison, champion: {version, etag} or null, later: {start, end, metrics, comparison} or null,
verdict: {state, promote, reasons}, from_scratch}. `deleted` counts the tweets of the training that were deleted before
the evaluation. Older versions lack it, and `later`; those from before the gate had an interval lack `comparison.ratio`
and `verdict.state`; before topics per language, `languages` and `lost`; `comparison.asked` came later. `from_scratch`:
see training/from_scratch.py; null unless it was due."""

GOLDEN = "golden.json"
"""{texts, theta}: synthetic texts, not in NFKC, and their topic shares that Spark's pipeline computed; also `languages`
of the texts if the model has topics per language. For the loader's check."""


def evaluated(content: dict[str, Any]) -> tuple[Metrics, Comparison | None]:
    """Return the numbers of `evaluation.json`, to be judged again, possibly with other limits.

    Raises:
        IntegrityError: it is not an evaluation.
    """
    try:
        compared = content["comparison"]
        return _metrics(content["metrics"]), _comparison(compared) if compared else None
    except (KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{EVALUATION} is not an evaluation: {error}") from None


def held_out_one_in(training: Mapping[str, Any]) -> int:
    """Return the n of "one tweet in n was held out" from training.json or a manifest; older ones do not name it."""
    return int(training.get("held_out_one_in", 20))


def verdict_state(manifest: Mapping[str, Any]) -> State:
    """Return what the gate decided when the version was evaluated.

    Raises:
        IntegrityError: it was not.
    """
    evaluation = _evaluation(manifest)
    try:
        verdict = evaluation["verdict"]
        state: State = verdict.get("state") or ("promote" if verdict["promote"] else "refuse")
    except (KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{EVALUATION} of model {manifest.get('version')} lacks a verdict: {error}") from None
    return state


def compared_with(manifest: Mapping[str, Any]) -> str | None:
    """Return the champion that a version was compared with when it was evaluated; None if there was none.

    Raises:
        IntegrityError: it was not evaluated.
    """
    champion = _evaluation(manifest).get("champion")
    return None if champion is None else str(champion["version"])


def is_provisional(manifest: Mapping[str, Any]) -> bool:
    """Return whether a version was evaluated while there was no champion: it was compared with no other model."""
    return bool(manifest.get("evaluation")) and compared_with(manifest) is None


def read_json(store: ModelStore, version: str, name: str) -> dict[str, Any]:
    """Return a JSON object of a version, registered or not.

    Raises:
        IntegrityError: the file is not a JSON object.
        ConflictError: it is missing.
    """
    return json_objects.decode(store.read_unregistered(version, name), f"{name} of model {version}")


def _evaluation(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] | None = manifest.get("evaluation")
    if not found:
        msg = f"model {manifest.get('version')} has no evaluation: topic_retraining did not make it"
        raise IntegrityError(msg)
    return found


def _comparison(content: Mapping[str, Any]) -> Comparison:
    languages = [LanguageComparison(one["language"], _interval(one["ratio"])) for one in content.get("languages", [])]
    parts = {
        "champion": _metrics(content["champion"]),
        "ratio": _interval(content.get("ratio")),
        "languages": tuple(languages),
        "lost": tuple(content.get("lost", [])),
        "asked": tuple(content["asked"]) if content.get("asked") else None,
    }
    return Comparison(**{**content, **parts})


def _metrics(content: Mapping[str, Any]) -> Metrics:
    languages = tuple(LanguageMetrics(**one) for one in content.get("languages", []))
    return Metrics(**{**content, "languages": languages})


def _interval(content: Mapping[str, float] | None) -> Interval | None:
    return Interval(**content) if content else None
