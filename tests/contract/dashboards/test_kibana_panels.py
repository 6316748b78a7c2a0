"""Every committed Lens panel and Discover session, asked of a real Elasticsearch, over documents of both versions."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.contract.dashboards import seeds as s
from tests.contract.dashboards.publish import hashtags, old_tweets
from tests.contract.dashboards.saved import PANELS, SESSIONS, SPANS, inside, over_time
from tools.dashboards.files import read_saved_objects
from tools.dashboards.kibana.aggregations import MAX_DOCUMENTS, Row, documents, rows
from twitter_topics.search.store import SearchStore

pytestmark = pytest.mark.contract

OBJECTS = {(one["type"], one["attributes"]["title"]): one for one in read_saved_objects()}
LENS = {title: one for (kind, title), one in OBJECTS.items() if kind == "lens"}


def in_order(found: list[Row]) -> list[Row]:
    """Rows in an order that does not depend on the store's."""
    buckets = ("split", "topic", "language", "hashtag", "time")
    return sorted(found, key=lambda row: [str(row.get(key)) for key in buckets])


def close(expected: list[Row]) -> list[Row]:
    """The same; floats approximately, as the index keeps 32 bits."""
    return [
        {name: pytest.approx(value, abs=1e-6) if isinstance(value, float) else value for name, value in row.items()}
        for row in in_order(expected)
    ]


def test_every_panel_has_an_expectation() -> None:
    assert LENS.keys() == PANELS.keys()
    assert {title for kind, title in OBJECTS if kind == "search"} == SESSIONS.keys()


@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize("title", PANELS)
def test_a_panel_shows_what_was_seeded(documents: SearchStore, title: str, span: str) -> None:
    found = rows(LENS[title], documents.search, SPANS[span])
    assert in_order(found) == close(PANELS[title](SPANS[span]))


@pytest.mark.parametrize("title", SESSIONS)
def test_a_session_shows_its_tweets_newest_first(documents: SearchStore, title: str) -> None:
    session, span = OBJECTS["search", title], SPANS["2 d"]
    shown = documents_of(session, documents, span)
    wanted = sorted((one for one in inside(span) if SESSIONS[title](one)), key=lambda one: one.at_ms, reverse=True)
    assert 0 < len(wanted) < MAX_DOCUMENTS
    assert [row["text"][0].split()[1] for row in shown] == [str(one.number) for one in wanted]
    columns = session["attributes"]["columns"]
    assert all(row.keys() == set(columns) for row in shown)


def documents_of(session: dict[str, Any], store: SearchStore, span: Any) -> list[Row]:
    return documents(session, store.search, span)


def test_a_language_without_sentiment_has_no_mean(documents: SearchStore) -> None:
    found = {row["language"]: row for row in rows(LENS["Languages"], documents.search, SPANS["6 h"])}
    assert (found["ja"]["scored"], found["ja"]["mean"]) == (0, None)
    assert found["ja"]["tweets"] > 0


def test_the_rest_beyond_the_top_values_is_added_up(documents: SearchStore) -> None:
    lens = copy.deepcopy(LENS["Topics over time"])
    split = lens["attributes"]["state"]["datasourceStates"]["formBased"]["layers"]["layer"]["columns"]["split"]
    split["params"]["size"] = 2
    found = rows(lens, documents.search, SPANS["6 h"])
    assert in_order(found) == close(over_time(lambda one: [one.label], 2, other=True)(SPANS["6 h"]))
    assert sum(row["tweets"] for row in found) == len(inside(SPANS["6 h"]))


def test_the_documents_are_of_both_versions(documents: SearchStore) -> None:
    old = documents.count({"bool": {"must_not": [{"exists": {"field": "topic_ids"}}]}})
    assert old == len(old_tweets()) > 0
    assert documents.count({"exists": {"field": "topic_ids"}}) == len(s.tweets())
    assert any(hashtags(one) for one in old_tweets())


MISTAKES = {
    "old field name": ("Topics over time", "split", "topics.label"),
    "another field": ("Topics over time", "split", "model_version"),
    "a number instead of its mean": ("Languages", "mean", "sentiment.polarity"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_field_shows_other_values(documents: SearchStore, mistake: str) -> None:
    title, column, field = MISTAKES[mistake]
    lens = copy.deepcopy(LENS[title])
    layer = lens["attributes"]["state"]["datasourceStates"]["formBased"]["layers"]["layer"]
    layer["columns"][column]["sourceField"] = field
    assert in_order(rows(lens, documents.search, SPANS["6 h"])) != close(PANELS[title](SPANS["6 h"]))
