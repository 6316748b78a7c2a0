"""VADER and TextBlob in the classifier, compared with the libraries: the same numbers, and CPU time per text.

    make bench-sentiment ARGS="--texts tweets.jsonl.gz"     # or: python benchmarks/sentiment.py

Compares every text of the files (a JSON object with "text" or a plain text per line; .gz too) and generated ones, bit
by bit. Times the texts of the files, or generated ones without files. Writes benchmarks/results/sentiment.json. Exits
with 1 if a number differs.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from importlib import metadata
from itertools import chain, islice
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
RESULTS = PROJECT / "benchmarks" / "results" / "sentiment.json"
Scorer = Callable[[str], Any]


def texts_of(files: Iterable[Path]) -> Iterator[str]:
    for file in files:
        with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
            for line in lines:
                yield json.loads(line)["text"] if line.startswith("{") else line.rstrip("\n")


def libraries() -> dict[str, Scorer]:
    """Return what the libraries make of a text: compound, (polarity, subjectivity), and both as a Sentiment."""
    from textblob.en import sentiment as pattern
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    from twitter_topics.classification.sentiment import MAX_CHARACTERS, Sentiment

    vader = SentimentIntensityAnalyzer()

    def both(text: str) -> Sentiment:
        polarity, subjectivity = pattern(text[:MAX_CHARACTERS])
        compound = vader.polarity_scores(text[:MAX_CHARACTERS])["compound"]
        return Sentiment(compound, round(polarity, 4), round(subjectivity, 4))

    return {
        "VADER": lambda text: vader.polarity_scores(text[:MAX_CHARACTERS])["compound"],
        "TextBlob": lambda text: tuple(pattern(text[:MAX_CHARACTERS])),
        "both": both,
    }


def ours() -> dict[str, Scorer]:
    """Return the same of the classifier, which remembers nothing yet."""
    from twitter_topics.classification import sentiment
    from twitter_topics.classification.pattern import Pattern

    sentiment._vader.cache_clear()
    sentiment._pattern.cache_clear()
    pattern = Pattern()
    return {
        "VADER": sentiment.compound,
        "TextBlob": lambda text: pattern.averages(text[: sentiment.MAX_CHARACTERS]),
        "both": sentiment.sentiment,
    }


def differences(texts: Iterable[str]) -> dict[str, int]:
    """Count the texts, those with "but", and those where a number differs in any bit."""
    expected, found = libraries(), ours()
    counted = {"texts": 0, "with but": 0} | dict.fromkeys(expected, 0)
    for text in texts:
        counted["texts"] += 1
        counted["with but"] += "but" in text.lower().split()
        for name, library in expected.items():
            if repr(library(text)) != repr(found[name](text)):
                counted[name] += 1
                print(f"{name} differs: {text!r}")
    return counted


def cpu_times(texts: list[str], rounds: int) -> dict[str, dict[str, float]]:
    """Return µs of CPU per text, the least of several rounds in which libraries and classifier take turns.

    The classifier sees every other text before, untimed, so that its memo is as full as in a stream; no text twice.
    """
    before, timed = texts[::2], texts[1::2]
    taken: dict[str, dict[str, list[float]]] = {}
    for _ in range(rounds):
        for way, scorers in (("library", libraries()), ("ours", ours())):
            for name, scorer in scorers.items():
                for text in before if way == "ours" else before[:100]:
                    scorer(text)
                began = time.process_time()
                for text in timed:
                    scorer(text)
                seconds = time.process_time() - began
                taken.setdefault(name, {}).setdefault(way, []).append(seconds / len(timed) * 1e6)
    least = {name: {way: min(of_rounds) for way, of_rounds in ways.items()} for name, ways in taken.items()}
    return {name: found | {"ratio": found["library"] / found["ours"]} for name, found in least.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, nargs="*", default=[], metavar="FILE")
    parser.add_argument("--generated", type=int, default=100_000, help="texts with all rules")
    parser.add_argument("--contrasted", type=int, default=20_000, help='generated texts with "but"')
    parser.add_argument("--timed", type=int, default=40_000, help="at most so many texts are timed, half of them")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    from benchmarks import report
    from benchmarks.circumstances import machine
    from twitter_topics.testing.hostile import TEXTS
    from twitter_topics.testing.sentiment_texts import Texts

    load = {"begin": os.getloadavg()[0]}
    compared = {
        "files": differences(texts_of(options.texts)),
        "generated": differences(islice(Texts(1), options.generated)),
        "contrasted": differences(islice(Texts(2).contrasted(), options.contrasted)),
        "hostile": differences(TEXTS.values()),
    }
    timed = list(islice(chain(texts_of(options.texts), islice(Texts(3), options.timed)), options.timed))
    times = cpu_times(timed, options.rounds)
    load["end"] = os.getloadavg()[0]
    result = {
        "measured_on": datetime.now(UTC).date().isoformat(),
        "options": vars(options) | {"texts": [file.name for file in options.texts]},
        "machine": machine(),
        "versions": {"Python": platform.python_version()}
        | {name: metadata.version(name) for name in ("vaderSentiment", "textblob")},
        "load": load,
        "differences": compared,
        "characters_per_text": sum(map(len, timed)) / len(timed),
        "cpu_us_per_text": times,
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    report.write()
    for kind, counted in compared.items():
        print(f"{kind:12}", ", ".join(f"{name}: {number:,}" for name, number in counted.items()))
    for name, found in times.items():
        print(f"{name:12} {found['library']:6.1f} µs  {found['ours']:6.1f} µs  {found['ratio']:5.2f} x")
    if any(counted[name] for counted in compared.values() for name in ("VADER", "TextBlob", "both")):
        raise SystemExit(1)


if __name__ == "__main__":
    sys.path.insert(0, str(PROJECT))
    main()
