"""The linear analyzer gives the scores of the library."""

from __future__ import annotations

import random

from vaderSentiment.vaderSentiment import BOOSTER_DICT, SPECIAL_CASES, SentimentIntensityAnalyzer

from twitter_topics.classification.vader import LinearAnalyzer

LIBRARY, LINEAR = SentimentIntensityAnalyzer(), LinearAnalyzer()


def words() -> list[str]:
    """Words that each rule looks at, and some of the lexicon."""
    draw = random.Random(3)
    rules = [
        *BOOSTER_DICT,
        *SPECIAL_CASES,
        "but",
        "BUT",
        "never",
        "so",
        "this",
        "without",
        "doubt",
        "not",
        "isn't",
        "no",
    ]
    laden = draw.sample(sorted(LIBRARY.lexicon), 60)
    return [*rules, "nor", "or", "least", "at", "very", "kind", "of", *laden, "GREAT", "good", "bad", "the", "train"]


def test_random_texts_have_the_scores_of_the_library() -> None:
    draw, vocabulary = random.Random(7), words()
    scored = set()
    for _ in range(4_000):
        text = " ".join(draw.choice(vocabulary) for _ in range(draw.randint(0, 25)))
        text += draw.choice(["", "!", "?!", " \U0001f600", " \U0001f62d\u2764"])
        expected = LIBRARY.polarity_scores(text)
        assert LINEAR.polarity_scores(text) == expected, text
        scored.add(expected["compound"])
    assert len(scored) > 1_000


def test_equal_sentiments_around_but_are_scaled_as_the_library_does() -> None:
    draw = random.Random(11)
    for _ in range(500):
        text = " ".join(
            draw.choice(["good", "good", "bad", "but", "train", "great"]) for _ in range(draw.randint(1, 40))
        )
        assert LINEAR.polarity_scores(text) == LIBRARY.polarity_scores(text), text
