"""Write twitter_topics/topic_models/scoring/stop_words_by_language.txt.

    pip install stopwordsiso==0.7.1 && python -m tools.stop_words

Spark's own lists (Snowball's) where there are any, because they are short and hold function words only, otherwise those
of stopwords-iso (MIT); only of languages that are told apart. A release of either makes other words of the same posts,
so the result is committed, and new lists need new text rules.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pyspark
import stopwordsiso  # type: ignore[import-not-found]

from twitter_topics.records.language import DETECTED
from twitter_topics.topic_models.scoring.text import TEXT_RULES

TARGET = Path(__file__).parents[1] / "twitter_topics/topic_models/scoring/stop_words_by_language.txt"
SPARK = {
    "da": "danish", "de": "german", "en": "english", "es": "spanish", "fi": "finnish", "fr": "french",
    "hu": "hungarian", "it": "italian", "nl": "dutch", "no": "norwegian", "pt": "portuguese", "ru": "russian",
    "sv": "swedish", "tr": "turkish",
}  # fmt: skip
HEADER = """\
# Words without a topic, by language: of Spark (Snowball; BSD) and, for other languages, of stopwords-iso (MIT).
# https://snowballstem.org and https://github.com/stopwords-iso/stopwords-iso
# Written by tools/stop_words.py. A line with # is the code of a language or a comment; other lines are words.
"""
_HIRAGANA = re.compile("[ぁ-ゖー]+").fullmatch


def main() -> None:
    """Write the file."""
    tokens = TEXT_RULES[2].tokens
    lines = [HEADER]
    for code in sorted(DETECTED & (SPARK.keys() | stopwordsiso.langs())):
        words: set[str] = set()
        for word in _spark_words(SPARK[code]) if code in SPARK else stopwordsiso.stopwords(code):
            found = tokens(word)
            if len(found) == 1 or _HIRAGANA(word):  # pairs of kana are grammar; of Han they may be words of their own
                words.update(found)
        lines += [f"# {code}", *sorted(words)]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _spark_words(name: str) -> list[str]:
    (jar,) = Path(pyspark.__file__).parent.glob("jars/spark-mllib_*.jar")
    with zipfile.ZipFile(jar) as archive:
        return archive.read(f"org/apache/spark/ml/feature/stopwords/{name}.txt").decode().splitlines()


if __name__ == "__main__":
    main()
