"""The card of a model: what it was made of, what it says, how it was judged, for people who have to trust it.

After Mitchell et al., "Model Cards for Model Reporting" (2019): what a reader asks first, with numbers only from the
version's own manifest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from twitter_topics.topic_models.registry.files import evaluated, verdict_state
from twitter_topics.topic_models.registry.gate import Comparison, Interval, Metrics
from twitter_topics.topic_models.registry.topic_names import TopicNames

CARD = "card.md"

VERDICTS = {"promote": "passes", "refuse": "refused", "cannot_tell": "cannot tell", "person": "a person decides"}


def model_card(version: str, manifest: Mapping[str, Any], names: TopicNames | None = None) -> str:
    """Return the card of a registered version as Markdown.

    Args:
        manifest: of any release. Lines about what an older one did not record are left out.
        names: what people call topics now.
    """
    lines = [f"# Topic model {version}", "", *_origin(manifest), "", *_topics(manifest, names or TopicNames())]
    if manifest.get("evaluation"):
        metrics, comparison = evaluated(manifest["evaluation"])
        lines += ["", *_evaluation(metrics, comparison, manifest["evaluation"])]
    if manifest.get("confidence"):
        lines += ["", *_confidence(manifest["confidence"], manifest["parameters"]["min_confidence"])]
    return "\n".join(lines) + "\n"


def _origin(manifest: Mapping[str, Any]) -> Iterator[str]:
    asked = manifest.get("parameters", {})
    window = manifest.get("window", asked)
    read = f"{manifest['tweets']:,} tweets" if "tweets" in manifest else "tweets"
    if "start" in window and "end" in window:
        deleted = manifest.get("evaluation", {}).get("deleted")
        since = "" if deleted is None else f", {deleted:,} of them deleted before the evaluation"
        span = f"{window['start'][:16]} to {window['end'][:16]} UTC"
        yield f"- {read} from {span}{since}; archive snapshot {manifest['snapshot']}"
    yield f"- {manifest.get('documents', 0):,} of them trained on; the others are held out or share too few words"
    chosen = ", ".join(f"{name} {asked[name]}" for name in ("k", "iterations", "seed", "languages") if name in asked)
    yield f"- trainer {manifest.get('trainer', 'unknown')} ({chosen}), text rules {manifest.get('text_rules', 1)}"
    if "code" in manifest:
        yield f"- made by twitter-topics {manifest['code']}, requirements.txt with sha256 {manifest['lock'][:12]}…"


def _topics(manifest: Mapping[str, Any], names: TopicNames) -> Iterator[str]:
    topics = manifest.get("topics", [])
    has_languages = any("language" in topic for topic in topics)
    yield "## Topics"
    yield "| id | label | tweets | | words |" if not has_languages else "| id | language | label | tweets | | words |"
    yield "|--:|---|--:|---|---|" if not has_languages else "|--:|---|---|--:|---|---|"
    for topic in topics:
        spoken = f" {topic.get('language', '')} |" if has_languages else ""
        words = ", ".join(map(_cell, topic["top_words"][:8]))
        share = f"{topic['documents']:,} ({topic['share']:.1%})"
        name, head = names.name(topic["topic_id"]), names.shown_with(topic["topic_id"])
        label = f"{name} ({topic['label']})" if name else topic["label"]
        label += "" if head is None else f", shown with {head}"
        yield f"| {topic['topic_id']} |{spoken} {_cell(label)} | {share} | {topic['status']} | {words} |"


def _evaluation(metrics: Metrics, comparison: Comparison | None, evaluation: Mapping[str, Any]) -> Iterator[str]:
    yield "## Evaluation"
    yield f"On {metrics.held_out:,} held-out tweets. Lower perplexity is better; the unigram is word frequencies alone."
    yield ""
    champion = comparison.champion if comparison else None
    yield "| | this version | " + ("champion |" if champion else "|")
    yield "|---|--:|--:|"
    for name, digits in (
        ("topics", 0), ("vocabulary", 0), ("documents", 0), ("perplexity", 1), ("unigram_perplexity", 1),
        ("coherence", 3), ("diversity", 2), ("coverage", 3), ("without_topic", 3),
    ):  # fmt: skip
        theirs = _number(getattr(champion, name), digits) if champion else ""
        yield f"| {name.replace('_', ' ')} | {_number(getattr(metrics, name), digits)} | {theirs} |"
    if metrics.languages:
        yield ""
        yield "| language | topics | tweets | held out | perplexity | of word frequencies | to the champion's |"
        yield "|---|--:|--:|--:|--:|--:|--:|"
        ratios = {one.language: one.ratio for one in comparison.languages} if comparison else {}
        for one in metrics.languages:
            yield (
                f"| {one.language} | {one.topics} | {one.documents:,} | {one.held_out:,} | {one.perplexity:,.1f} | "
                f"{one.unigram_perplexity:,.1f} | {_interval(ratios.get(one.language))} |"
            )
    if comparison is not None:
        yield ""
        yield from _comparison(comparison, evaluation["champion"]["version"])
    if evaluation.get("later"):
        yield ""
        yield _later(evaluation["later"])
    yield ""
    verdict = evaluation["verdict"]
    yield f"**Gate: {VERDICTS[verdict_state({'evaluation': evaluation})]}.** {'; '.join(verdict['reasons'])}."
    if evaluation.get("from_scratch"):
        yield ""
        yield f"{evaluation['from_scratch']['advice']}."


def _comparison(comparison: Comparison, champion: str) -> Iterator[str]:
    yield (
        f"Compared with {champion} on the words that both know ({comparison.common_words_share:.0%} of the frequent "
        f"ones): perplexity {comparison.challenger_perplexity:,.1f} and {comparison.champion_perplexity:,.1f}, "
        f"{_interval(comparison.ratio) or 'without an interval'}."
    )
    confident = comparison.share_kept_confident
    of_clear = "" if confident is None else f", {confident:.1%} of those that had a clear one"
    yield f"{comparison.share_kept:.1%} of the tweets keep their topic{of_clear}."


def _confidence(confidence: Mapping[str, Any], asked: float) -> Iterator[str]:
    yield "## Clear topics"
    yield (
        f"A topic is clear if another seed would serve the same one with a probability (confidence) of {asked:g} or "
        "more. At most a quarter of the tweets have none because theirs is not."
    )
    yield ""
    yield "| | held-out tweets | another seed agrees on | smallest share of a clear topic | its confidence |"
    yield "|---|--:|--:|--:|--:|"
    for language, one in confidence.items():
        smallest = f"{one['min_share']:.3f}" if one["min_share"] else "all are clear"
        yield f"| {language} | {one['tweets']:,} | {one['agreement']:.1%} | {smallest} | {one['confidence']:.2f} |"


def _later(later: dict[str, Any]) -> str:
    metrics, comparison = evaluated(later)
    compared = ""
    if comparison is not None:
        change = _interval(comparison.ratio) or "without an interval"
        compared = f"; against the champion's on the words that both know {change}"
    return (
        f"On {metrics.held_out:,} tweets after the window, which do not count for the gate: perplexity "
        f"{metrics.perplexity:,.1f}, of word frequencies {metrics.unigram_perplexity:,.1f}{compared}."
    )


def _interval(ratio: Interval | None) -> str:
    return "" if ratio is None else f"{ratio.as_change()} (95 %)"


def _number(value: float | None, digits: int) -> str:
    return "not measured" if value is None else f"{value:,.{digits}f}"


def _cell(text: str) -> str:
    """Words come from tweets: a `|` would end the table's cell."""
    return text.replace("|", "\\|").replace("\n", " ")
