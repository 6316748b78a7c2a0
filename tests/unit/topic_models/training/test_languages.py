"""Which languages get topics of their own, and what happens to the topics of the champion."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from twitter_topics.errors import TooFewTweetsError
from twitter_topics.testing.corpora import THEMES, as_lists, in_language, planted_documents
from twitter_topics.testing.models import model_of_languages
from twitter_topics.topic_models.scoring.topic_model import TopicModel
from twitter_topics.topic_models.training.alignment import Predecessor
from twitter_topics.topic_models.training.births import after as births_after
from twitter_topics.topic_models.training.births import births_of
from twitter_topics.topic_models.training.corpus import Corpus
from twitter_topics.topic_models.training.labels import top_words, topic_labels
from twitter_topics.topic_models.training.languages import (
    bare,
    births_for,
    languages_to_train,
    lost_languages,
    number_of_topics,
    train_topics,
)
from twitter_topics.topic_models.training.request import TrainingRequest
from twitter_topics.topic_models.training.trainers import GsdmmTrainer, Trained
from twitter_topics.topic_models.training.tweets import TrainingTweets

POSTS = {"en": 5000, "ja": 2000, "und": 9000, "de": 1999, "pt": 1000, "es": 999}


@pytest.mark.parametrize(
    ("wanted", "champion", "languages"),
    [
        ("auto", (), ("en", "ja")),
        ("auto", ("de", "pt", "es"), ("en", "ja", "de", "pt")),
        ("all", ("en", "ja"), ()),
        ("ja,en", (), ("en", "ja")),
        ("ja,de", (), ("ja",)),
    ],
)
def test_languages_with_enough_tweets_get_topics(
    wanted: str, champion: tuple[str, ...], languages: tuple[str, ...]
) -> None:
    assert languages_to_train(POSTS, wanted, 2000, champion) == languages


def test_at_most_eight_languages_get_topics_and_a_stream_without_any_has_one_set() -> None:
    many = {f"x{letter}": 3000 + number for number, letter in enumerate("abcdefghij")}
    assert languages_to_train(many, "auto", 2000, ()) == tuple(f"x{letter}" for letter in "jihgfedc")
    assert languages_to_train({"und": 9000, "en": 1500}, "auto", 2000, ()) == ()
    with pytest.raises(TooFewTweetsError, match="TOPICS_LANGUAGES=de,pt has 2,000 tweets"):
        languages_to_train(POSTS, "de,pt", 2000, ())


def test_of_more_than_eight_languages_those_of_the_champion_come_first(model: TopicModel) -> None:
    posts = {"en": 9000, "id": 3000} | {f"x{letter}": 2500 - number for number, letter in enumerate("abcdefg")}
    before = ("en", *(f"x{letter}" for letter in "abcdefg"))
    found = languages_to_train(posts, "auto", 2000, before)
    assert found == before, "a ninth language waits"
    champion, challenger = (replace(model, topic_languages=one[: model.k]) for one in (before, found))
    assert lost_languages(challenger, champion, posts, 2000) == ()
    freed = languages_to_train(posts | {"xg": 900}, "auto", 2000, before)
    assert freed == ("en", "id", *before[1:7]), "most posts first"
    nine = (*before, "id")  # were named in TOPICS_LANGUAGES
    assert languages_to_train(posts | {"de": 8000}, "auto", 2000, nine) == ("en", "id", *before[1:])


def test_a_language_with_fewer_tweets_has_fewer_topics() -> None:
    assert [number_of_topics(20, posts, 10_000) for posts in (10_000, 5_000, 2_500, 100)] == [20, 14, 10, 10]
    assert number_of_topics(3, 100, 10_000) == 3


def test_a_language_is_lost_only_if_the_window_could_keep_it(model: TopicModel) -> None:
    champion = replace(model, topic_languages=("en",) * 2 + ("pt",) * 2 + ("es",) * (model.k - 4))
    challenger = replace(model, topic_languages=("en",) * model.k)
    assert lost_languages(challenger, champion, POSTS, 2000) == ("pt",)
    assert lost_languages(model, champion, POSTS, 2000) == (), "one set of topics is for all languages"


def request(**changes: object) -> TrainingRequest:
    plain = TrainingRequest(
        version="20261102T000000Z-gsdmm", trainer="gsdmm", k=8, iterations=15, seed=1,
        start=datetime(2026, 11, 1, tzinfo=UTC), end=datetime(2026, 11, 2, tzinfo=UTC),
        max_documents=100_000, min_documents=600, languages="auto",
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def stream(sizes: dict[str, int], seed: int = 1, themes: list[str] | None = None) -> TrainingTweets:
    """Return tweets of the four themes in some languages, and as many again of which the language is unknown."""
    words, languages = [], []
    for number, (language, size) in enumerate(sizes.items()):
        documents = planted_documents(size, seed=seed + number, themes=themes)[0]
        words += in_language(documents, "" if language == "en" else language)
        languages += [language] * size
    unknown = planted_documents(len(words), seed=seed + 90)[0]
    slices = np.arange(2 * len(words)) % 20
    return TrainingTweets(as_lists(words + unknown), slices, [], pa.array(languages + ["und"] * len(unknown)))


def fit(tweets: TrainingTweets, champion: Predecessor | None = None, **changes: object) -> Trained:
    found, documents = train_topics(GsdmmTrainer(), tweets, 5, request(**changes), champion)
    found.model.with_identity(found.model.topic_ids, topic_labels(found.model)).check()
    assert found.model.documents.sum() <= documents
    assert found.identities.topic_ids.tolist() == found.model.topic_ids.tolist()
    assert found.identities.next_topic_id > found.model.topic_ids.max()
    return found


def themes(model: TopicModel) -> list[tuple[str, str]]:
    """Return language and theme of each topic."""
    found = []
    for language, words in zip(model.topic_languages or ("",) * model.k, top_words(model), strict=True):
        named = Counter(
            theme for word in words for theme, own in THEMES.items() if any(word.startswith(one) for one in own)
        )
        found.append((language, named.most_common(1)[0][0]))
    return found


@pytest.fixture(scope="module")
def champion() -> Trained:
    return fit(stream({"en": 2000, "ja": 1200, "de": 100}))


def test_each_language_has_its_topics_and_other_posts_are_not_trained_on(champion: Trained) -> None:
    model = champion.model
    assert model.languages == ("en", "ja")
    assert {(language, theme) for language in model.languages for theme in THEMES} <= set(themes(model))
    assert model.documents[: model.topic_languages.count("en")].sum() <= 1600, "a fifth is held out, und left out"
    assert {word.partition(":")[0] for word in model.vocabulary} == {"en", "ja"}
    assert "ja:stormja" in model.vocabulary
    assert "love" in model.part("en").vocabulary
    assert "love" in model.part("ja").vocabulary
    assert model.topic_ids.tolist() == list(range(model.k))
    assert not any(champion.identities.kept)
    assert not any(":" in text for words in (*top_words(model), topic_labels(model)) for text in words)


def test_training_is_deterministic(champion: Trained) -> None:
    assert fit(stream({"en": 2000, "ja": 1200, "de": 100})).model.to_bytes() == champion.model.to_bytes()


def test_each_language_continues_its_own_topics(champion: Trained) -> None:
    before = Predecessor(champion.model, 100)
    after = fit(stream({"en": 1500, "ja": 400, "de": 1600}, seed=50), before)
    assert after.model.languages == ("de", "en", "ja"), "ja keeps its topics with half of the tweets, de is new"
    was = dict(zip(champion.model.topic_ids.tolist(), themes(champion.model), strict=True))
    kept = dict(zip(after.model.topic_ids.tolist(), themes(after.model), strict=True))
    for language in ("en", "ja"):
        same = [topic_id for topic_id, theme in kept.items() if theme[0] == language and was.get(topic_id) == theme]
        assert len(same) >= 4, language
    assert all(was[topic_id][0] == kept[topic_id][0] for topic_id in was.keys() & kept.keys())
    new = [topic_id for topic_id in kept if topic_id not in was]
    assert {topic_id for topic_id, theme in kept.items() if theme[0] == "de"} <= set(new)
    assert min(new) >= 100
    assert len(set(after.model.topic_ids.tolist())) == after.model.k


def test_topics_of_a_language_that_was_away_come_back_with_their_ids(champion: Trained) -> None:
    """A window with too few of its tweets was trained and promoted in between."""
    labels = topic_labels(champion.model)
    born = births_of(champion.model.with_identity(champion.model.topic_ids, labels), "20261101T000000Z-gsdmm")
    english = champion.model.part("en")
    without = fit(stream({"en": 2000}, seed=30), Predecessor(champion.model, champion.model.k, born)).model
    assert without.languages == ("en",)
    between = births_after(born, without, "20261102T000000Z-gsdmm")
    back = fit(stream({"en": 2000, "ja": 1200}, seed=60), Predecessor(without, 100, between))
    was = dict(zip(champion.model.topic_ids.tolist(), themes(champion.model), strict=True))
    now = dict(zip(back.model.topic_ids.tolist(), themes(back.model), strict=True))
    japanese = {topic_id for topic_id, (language, _) in now.items() if language == "ja"}
    known = japanese & was.keys()
    assert len(known) >= 4
    assert all(was[topic_id] == now[topic_id] for topic_id in known)
    assert not known & set(english.topic_ids.tolist())
    assert min(japanese - known, default=100) >= 100


class Recording(GsdmmTrainer):
    """Remembers how many topics it was asked for, and which to continue."""

    asked: ClassVar[list[int]] = []
    champions: ClassVar[list[Predecessor | None]] = []

    def fit(self, corpus: Corpus, *, k: int, **options: Any) -> Trained:
        self.asked.append(k)
        self.champions.append(options["champion"])
        return super().fit(corpus, k=k, **options)


@pytest.mark.parametrize(("k", "asked"), [(20, [20, 14]), (12, [12, 12]), (40, [40, 20])])
def test_topics_are_not_given_up_because_another_language_grows(champion: Trained, k: int, asked: list[int]) -> None:
    part = champion.model.part("ja")
    grown = replace(
        part,
        topics_matrix=np.tile(part.topics_matrix[:1], (14, 1)),
        alpha=np.ones(14),
        documents=np.full(14, 90),
        topic_ids=np.arange(14),
    )
    before = Predecessor(model_of_languages({"en": champion.model.part("en"), "ja": grown}), 100)
    Recording.asked.clear()
    train_topics(Recording(), stream({"en": 4800, "ja": 1200}), 5, request(k=k, iterations=2), before)
    assert Recording.asked == asked


def test_a_champion_for_all_languages_is_continued_by_topics_per_language_and_back(champion: Trained) -> None:
    tweets = stream({"en": 2000, "ja": 1200})
    one_set = fit(tweets, languages="all")
    assert one_set.model.languages == ()
    per_language = fit(tweets, Predecessor(one_set.model, 70))
    was = dict(zip(one_set.model.topic_ids.tolist(), themes(one_set.model), strict=True))
    kept = dict(zip(per_language.model.topic_ids.tolist(), themes(per_language.model), strict=True))
    shared = was.keys() & kept.keys()
    assert len(shared) >= 4
    assert all(was[topic_id][1] == kept[topic_id][1] for topic_id in shared)
    assert all(topic_id >= 70 for topic_id in kept if topic_id not in was)
    assert sum(per_language.identities.kept) == len(shared)

    back = fit(tweets, Predecessor(champion.model, 90), languages="all")
    was = dict(zip(champion.model.topic_ids.tolist(), themes(champion.model), strict=True))
    kept = dict(zip(back.model.topic_ids.tolist(), themes(back.model), strict=True))
    assert len(was.keys() & kept.keys()) >= 4
    assert all(was[topic_id][1] == kept[topic_id][1] for topic_id in was.keys() & kept.keys())


@pytest.mark.parametrize(("others", "continued"), [(100, True), (210, True), (400, False), (700, False)])
def test_one_set_of_a_stream_in_one_language_goes_on_as_that_languages_topics(others: int, continued: bool) -> None:
    one_set = fit(stream({"en": 2000}), languages="all").model
    before = Predecessor(one_set, 70, births_of(one_set, "v1"))
    Recording.champions.clear()
    tweets = stream({"en": 2000, "de": others})
    after, _ = train_topics(Recording(), tweets, 5, request(languages="en"), before)
    assert after.model.languages == ("en",)
    (found,) = Recording.champions
    assert (found is not None) is continued
    if found is not None:
        assert found.model.vocabulary == one_set.vocabulary
        assert found.model.topic_ids.tolist() == one_set.topic_ids.tolist()
        assert found.births == before.births
        assert set(after.model.topic_ids.tolist()) <= {*one_set.topic_ids.tolist(), *range(70, 80)}


def test_a_language_whose_tweets_share_no_words_has_no_topics() -> None:
    tweets = stream({"en": 1000})
    scattered = as_lists([[f"w{number}", f"v{number}"] for number in range(1000)])
    words = pa.concat_arrays([tweets.words, scattered])
    languages = pa.concat_arrays([tweets.languages, pa.array(["th"] * 1000)])
    mixed = TrainingTweets(words, np.arange(len(words)) % 20, [], languages)
    assert fit(mixed).model.languages == ("en",)
    with pytest.raises(TooFewTweetsError, match="too few tweets in th share"):
        fit(mixed, languages="th")
    with pytest.raises(TooFewTweetsError, match="only 0 of 1000 tweets share"):
        fit(mixed.in_languages(("th",)), languages="all")


def test_bare_words_of_several_languages_are_one_word(champion: Trained) -> None:
    model, one_set = champion.model, bare(champion.model)
    one_set.check()
    assert len(one_set.vocabulary) == len(set(model.words)) < len(model.vocabulary)
    assert one_set.word_counts.sum() == model.word_counts.sum()
    here = [model.vocabulary.index(f"{language}:love") for language in ("en", "ja")]
    np.testing.assert_allclose(
        one_set.topics_matrix[:, one_set.vocabulary.index("love")], model.topics_matrix[:, here].sum(axis=1)
    )
    assert bare(one_set) is one_set


def test_the_births_of_a_language_are_those_of_its_topics(champion: Trained) -> None:
    """So a topic that is about something else than at its birth gets another id, in its own language only."""
    model = champion.model
    changed = model.topic_languages.index("ja")
    births = list(births_of(model, "20261101T000000Z-gsdmm"))
    theme = themes(model)
    stranger = next(place for place in range(changed, model.k) if theme[place] != theme[changed])
    births[changed] = replace(births[changed], words=births[stranger].words, shares=births[stranger].shares)
    tweets = stream({"en": 2000, "ja": 1200})
    after = fit(tweets, Predecessor(model, 100, tuple(births))).model
    assert set(after.topic_ids.tolist()) == {*model.topic_ids.tolist(), 100} - {int(model.topic_ids[changed])}
    assert after.topic_languages[after.topic_ids.tolist().index(100)] == "ja"


def test_a_topic_retired_before_there_were_languages_returns_in_none() -> None:
    sizes = {"en": 1500, "ja": 1200}
    champion = fit(stream(sizes, themes=list(THEMES)[:3])).model
    gone = births_of(fit(stream(sizes), languages="all").model, "20261001T000000Z-gsdmm")
    retired = tuple(replace(one, topic_id=one.topic_id + 500, retired="20261002T000000Z-gsdmm") for one in gone)
    after = fit(stream(sizes), Predecessor(champion, 100, (*births_of(champion, "x"), *retired))).model
    new = set(after.topic_ids.tolist()) - set(champion.topic_ids.tolist())
    assert len(new) >= 2, "the fourth theme, in both languages"
    assert max(new) < 500


def test_topics_are_born_again_when_languages_get_their_own(champion: Trained) -> None:
    model = champion.model
    old = births_of(bare(replace(model, topic_ids=model.topic_ids + 1)), "20261101T000000Z-gsdmm")
    assert births_for(bare(model), old) == old
    gone = births_for(model, old)
    assert [birth.topic_id for birth in gone] == [model.k]
    assert births_for(model, births_of(model, "x")) == births_of(model, "x")


def test_a_topic_is_small_by_the_documents_of_its_language(champion: Trained) -> None:
    model, small = champion.model, champion.model.topic_languages.index("ja")
    documents = np.where(model.language_of_topic == 0, 1_000_000, 1000)
    documents[small] = 1
    births = births_of(replace(model, documents=documents), "20261101T000000Z-gsdmm")
    assert [birth.topic_id for birth in births if birth.small_trainings] == [model.topic_ids[small]]
