"""Topics per language: which languages get their own, how many, and one model of all of them."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sparse

from twitter_topics.errors import TooFewTweetsError
from twitter_topics.records.language import UNKNOWN
from twitter_topics.topic_models.scoring.topic_model import TopicModel
from twitter_topics.topic_models.training.alignment import NEW, Identities, Predecessor, align, recognised
from twitter_topics.topic_models.training.births import Birth
from twitter_topics.topic_models.training.corpus import Corpus, build_corpus
from twitter_topics.topic_models.training.trainers import Trained, Trainer

if TYPE_CHECKING:
    from twitter_topics.topic_models.training.request import TrainingRequest
    from twitter_topics.topic_models.training.tweets import TrainingTweets

log = logging.getLogger(__name__)

AUTO, ALL = "auto", "all"
"""Values of TOPICS_LANGUAGES beside codes."""

MAX_LANGUAGES = 8
MIN_TOPICS = 10
"""Of a generated day whose languages have 490 to 9,500 posts, ten find the themes of the small ones as well as twenty
(NMI .82 on average, .79 with five as the least), and on 2,000 real tweets they are more coherent than twenty."""

MOSTLY = 0.9
"""From this share of the posts on, one set of topics is that of a language and goes on as such. A set that mixes
languages does not, because its topics would keep mixing what their parts are about."""

_OF_OTHER_LANGUAGES = 1e-6
"""Parameter of a word in a topic of another language. Spark's exp(digamma(x)) of it is 0, so the words of one language
never move the topics of another."""


def train_topics(
    trainer: Trainer,
    tweets: TrainingTweets,
    held_out_one_in: int,
    request: TrainingRequest,
    champion: Predecessor | None,
) -> tuple[Trained, int]:
    """Train topics for each language that gets its own, or one set for all, and continue the champion's.

    Returns:
        The topics, and the number of documents that they were trained on.

    Raises:
        TooFewTweetsError: too few tweets share words, or those of the requested languages are too few.
    """
    before = champion.model.languages if champion else ()
    languages = languages_to_train(tweets.posts, request.languages, request.min_documents, before)
    continued = champion if champion and goes_on(champion, tweets.posts, request) else None
    if not languages:
        corpus = build_corpus(tweets.to_train(held_out_one_in))
        _require_enough(corpus, tweets.count, request.min_documents)
        trained = _fit(trainer, corpus, request.k, request, continued)
        documents = corpus.documents
    else:
        corpora = _corpora(tweets, held_out_one_in, languages, request.min_documents, before)
        unused = champion.next_topic_id if champion else 0
        trained = _fit_each(trainer, corpora, tweets.posts, request, continued, unused)
        documents = sum(corpus.documents for corpus in corpora.values())
    if champion is not None and continued is None:
        trained = _aligned_by_bare_words(trained, champion)
    return trained, documents


def goes_on(champion: Predecessor, posts: Mapping[str, int], request: TrainingRequest) -> bool:
    """Return whether a training of these posts continues a champion's topics. One set does not become the topics of
    languages, unless the posts are mostly in one; topics of languages do not become one set.

    Raises:
        TooFewTweetsError: as `languages_to_train`.
    """
    before = champion.model.languages
    languages = languages_to_train(posts, request.languages, request.min_documents, before)
    return bool(languages) == bool(before) or _is_mostly(languages, posts)


def languages_to_train(
    posts: Mapping[str, int], wanted: str, min_documents: int, champion: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the languages that get topics of their own, most posts first; empty for one set of topics for all.

    A language of the champion that has enough tweets keeps its topics, or the gate would refuse each challenger.

    Args:
        posts: tweets in the window, by language.
        wanted: `auto`, `all`, or codes, comma-separated.
        min_documents: tweets that a language needs; half of that if the champion has topics in it.
        champion: the champion's languages.

    Raises:
        TooFewTweetsError: `wanted` names languages, and none has enough tweets.
    """
    if wanted == ALL:
        return ()
    enough = [
        language
        for language, count in sorted(posts.items(), key=lambda one: (-one[1], one[0]))
        if language != UNKNOWN and count >= least_posts(language, min_documents, champion)
    ]
    if wanted == AUTO:
        kept = [language for language in enough if language in champion]
        new = [language for language in enough if language not in champion][: max(MAX_LANGUAGES - len(kept), 0)]
        return tuple(language for language in enough if language in kept or language in new)
    chosen = tuple(language for language in enough if language in wanted.split(","))
    if not chosen:
        msg = f"no language of TOPICS_LANGUAGES={wanted} has {min_documents:,} tweets in the window"
        raise TooFewTweetsError(msg)
    return chosen


def least_posts(language: str, min_documents: int, champion: tuple[str, ...]) -> int:
    """Return the tweets that a language needs for its own topics: fewer to keep them than to get them."""
    return min_documents // 2 if language in champion else min_documents


def lost_languages(
    challenger: TopicModel, champion: TopicModel, posts: Mapping[str, int], min_documents: int
) -> tuple[str, ...]:
    """Return the languages in which only the champion has topics, though the window has enough tweets to keep them."""
    if not challenger.languages:
        return ()
    gone = [language for language in champion.languages if language not in challenger.languages]
    return tuple(one for one in gone if posts.get(one, 0) >= least_posts(one, min_documents, champion.languages))


def number_of_topics(k: int, posts: int, most: int) -> int:
    """Return the topics of a language with so many posts if the language with `most` has `k`.

    Subjects grow more slowly than posts, so their square root counts: in proportion to posts, NMI falls to .73.
    """
    return max(min(MIN_TOPICS, k), round(k * math.sqrt(posts / most)))


def joined(parts: Mapping[str, Trained]) -> Trained:
    """Return the topics of all languages as one model, the language of most documents first, with distinct ids."""
    order = sorted(parts, key=lambda language: -int(parts[language].model.documents.sum()))
    models = [parts[language].model for language in order]
    matrix = np.full((sum(one.k for one in models), sum(len(one.vocabulary) for one in models)), _OF_OTHER_LANGUAGES)
    topic = word = 0
    for one in models:
        matrix[topic : topic + one.k, word : word + len(one.vocabulary)] = one.topics_matrix
        topic, word = topic + one.k, word + len(one.vocabulary)
    identities = [parts[language].identities for language in order]
    model = replace(
        models[0],
        vocabulary=tuple(f"{code}:{word}" for code, one in zip(order, models, strict=True) for word in one.vocabulary),
        topics_matrix=matrix,
        alpha=np.concatenate([one.alpha for one in models]),
        documents=np.concatenate([one.documents for one in models]),
        word_counts=np.concatenate([one.word_counts for one in models]),
        topic_ids=np.concatenate([one.topic_ids for one in models]),
        labels=tuple(label for one in models for label in one.labels),
        topic_languages=tuple(code for code, one in zip(order, models, strict=True) for _ in range(one.k)),
    )
    kept = tuple(flag for one in identities for flag in one.kept)
    return Trained(model, Identities(model.topic_ids, kept, max(one.next_topic_id for one in identities)))


def births_for(model: TopicModel, births: Iterable[Birth]) -> tuple[Birth, ...]:
    """Return the champion's births that tell what topics of this model are; a topic whose birth has words with a
    language and the model none, or the other way round, is born again."""
    spoken, living = bool(model.languages), set(model.topic_ids.tolist())
    return tuple(one for one in births if bool(_language_of(one)) == spoken or one.topic_id not in living)


def bare(model: TopicModel) -> TopicModel:
    """Return the topics of all languages over words without a language: one that several languages have is one word."""
    if not model.languages:
        return model
    words = tuple(dict.fromkeys(model.words))
    position = {word: index for index, word in enumerate(words)}
    columns = [position[word] for word in model.words]
    merge = sparse.csr_matrix((np.ones(len(columns)), (range(len(columns)), columns)), shape=(len(columns), len(words)))
    return replace(
        model,
        vocabulary=words,
        topics_matrix=np.ascontiguousarray(model.topics_matrix @ merge),
        word_counts=(model.word_counts @ merge).astype(np.int64),
        topic_languages=(),
    )


def _is_mostly(languages: tuple[str, ...], posts: Mapping[str, int]) -> bool:
    """Return whether there is one language, and the posts whose language is known are in it but for a few."""
    known = sum(count for language, count in posts.items() if language != UNKNOWN)
    return len(languages) == 1 and posts[languages[0]] >= MOSTLY * known


def _corpora(
    tweets: TrainingTweets,
    held_out_one_in: int,
    languages: tuple[str, ...],
    min_documents: int,
    before: tuple[str, ...],
) -> dict[str, Corpus]:
    corpora = {}
    for language in languages:
        spoken = tweets.in_languages((language,))
        corpus = build_corpus(spoken.to_train(held_out_one_in))
        try:
            _require_enough(corpus, spoken.count, least_posts(language, min_documents, before))
        except TooFewTweetsError as error:
            log.warning("no topics in %s: %s", language, error)
        else:
            corpora[language] = corpus
    if not corpora:
        msg = f"too few tweets in {', '.join(languages)} share two or more words with other tweets"
        raise TooFewTweetsError(msg)
    return corpora


def _require_enough(corpus: Corpus, tweets: int, min_documents: int) -> None:
    log.info("%s tweets, %s for training, %s words", tweets, corpus.documents, len(corpus.vocabulary))
    if corpus.documents < min_documents // 4:  # half of the tweets in the window, less a fifth held out
        msg = f"only {corpus.documents} of {tweets} tweets share two or more words with other tweets"
        raise TooFewTweetsError(msg)


def _fit_each(
    trainer: Trainer,
    corpora: Mapping[str, Corpus],
    posts: Mapping[str, int],
    request: TrainingRequest,
    champion: Predecessor | None,
    unused: int,
) -> Trained:
    """Train each language.

    Args:
        champion: the topics that go on: those of languages, or one set, which is then that of the only language.
        unused: the smallest id that no model has used.
    """
    most = max(posts[language] for language in corpora)
    found: dict[str, Trained] = {}
    for language, corpus in corpora.items():
        part = _part(champion, language, unused)
        k = number_of_topics(request.k, posts[language], most)
        if part:  # topics are not given up because another language grows
            k = max(k, min(part.model.k, request.k))
        trained = _fit(trainer, corpus, k, request, part)
        if part is None:
            trained = with_unused_ids(trained, unused, _births_in(champion, language) if champion else ())
        found[language] = trained
        unused = found[language].identities.next_topic_id
        log.info("%s: %s topics", language, trained.model.k)
    return joined(found)


def _fit(trainer: Trainer, corpus: Corpus, k: int, request: TrainingRequest, champion: Predecessor | None) -> Trained:
    return trainer.fit(corpus, k=k, iterations=request.iterations, seed=request.seed, champion=champion)


def _part(champion: Predecessor | None, language: str, next_topic_id: int) -> Predecessor | None:
    """Return the champion's topics in a language; None if it has none. One set of topics is that of the language."""
    if champion is None or (champion.model.languages and language not in champion.model.languages):
        return None
    births = _births_in(champion, language if champion.model.languages else "")
    return replace(champion, model=champion.model.part(language), next_topic_id=next_topic_id, births=births)


def _births_in(champion: Predecessor, language: str) -> tuple[Birth, ...]:
    """Return the births of topics in a language, its code removed from their words."""
    return tuple(
        replace(birth, words=tuple(word.removeprefix(f"{language}:") for word in birth.words))
        for birth in champion.births
        if _language_of(birth) == language
    )


def _language_of(birth: Birth) -> str:
    """Return the language of a topic's words; empty for one of a set for all languages."""
    return birth.words[0].rpartition(":")[0] if birth.words else ""


def with_unused_ids(trained: Trained, next_topic_id: int, births: Sequence[Birth] = ()) -> Trained:
    """Replace the ids 0, 1, 2… of new topics by ones that no model has used; a topic that comes back gets its own.

    Args:
        births: of earlier topics in the same words, if there were any.
    """
    model = trained.model
    new = np.full(model.k, NEW, dtype=np.int64)
    identities = recognised(model.word_shares, model.vocabulary, new, births, next_topic_id)
    return Trained(replace(model, topic_ids=identities.topic_ids), identities)


def _aligned_by_bare_words(trained: Trained, champion: Predecessor) -> Trained:
    """Give topics per language the ids of one set of topics, each to at most one of them, or the other way round.

    They do not start from it: a topic that mixes languages would keep mixing what its parts are about.
    """
    identities = align(bare(trained.model), replace(champion, model=bare(champion.model)))
    return Trained(replace(trained.model, topic_ids=identities.topic_ids), identities)
