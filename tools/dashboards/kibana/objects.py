"""The saved objects: a data view, Discover sessions, Lens panels and three dashboards.

Panels use only fields that documents of every mapping version have; sessions may show newer ones.
"""

from __future__ import annotations

from tools.dashboards.kibana.forms import (
    GRID_WIDTH,
    Object,
    Place,
    bars,
    dashboard,
    data_view,
    distinct,
    mean,
    number,
    number_of,
    over_time,
    records,
    session,
    table,
    top,
)

PATTERN = "tweets-*"
COLUMNS = ("text", "topic_label", "sentiment.label", "lang", "source", "user.screen_name")
SENTIMENT = "sentiment.compound"


def saved_objects() -> dict[str, list[Object]]:
    """Return the objects of each file: what is referred to comes first."""
    boards = [tweets(), topics(), sources()]
    objects = [data_view(PATTERN), *(place.content for _, places in boards for place in places)]
    unique = {one["id"]: one for one in objects}
    return {"twitter-topics": [*unique.values(), *(board for board, _ in boards)]}


def tweets() -> tuple[Object, list[Place]]:
    """Return the dashboard Tweets and its panels."""
    by_feeling = {"time": over_time(), "split": top("sentiment.label", "Sentiment", 3), "tweets": records()}
    places = [
        Place(number("count", "Tweets", "How many tweets are in the time range?", records()), 16, 7),
        Place(
            number("mean-sentiment", "Mean sentiment", "How do they feel, -1 to 1?", mean(SENTIMENT, "Mean")),
            16,
            7,
        ),
        Place(number("users", "Users", "How many users wrote them?", distinct("user.id", "Users")), 16, 7),
        Place(
            bars(
                "feeling",
                "Tweets by sentiment",
                "How many are positive, neutral and negative?",
                by_feeling,
            ),
            GRID_WIDTH,
        ),
        Place(session("newest", "Newest tweets", "What was written last?", COLUMNS), GRID_WIDTH, 20),
        Place(
            session(
                "edited",
                "Edited tweets",
                "Which tweets were edited? Search shows the newest text, the counts keep the first.",
                ("text", "edited_at", "counted_topic_id", "topic_label", "source"),
                "edited_at: *",
            ),
            GRID_WIDTH,
        ),
    ]
    return dashboard("tweets-board", "Tweets", "The tweets themselves, and how they feel.", places), places


def topics() -> tuple[Object, list[Place]]:
    """Return the dashboard Topics and its panels."""
    over = {"time": over_time(), "split": top("topic_label", "Topic", 10, other=True), "tweets": records()}
    felt = {
        "topic": top("topic_label", "Topic", 50),
        "tweets": records(),
        "scored": number_of(SENTIMENT, "With sentiment"),
        "mean": mean(SENTIMENT, "Mean sentiment"),
    }
    models = {"time": over_time(), "split": top("model_version", "Model", 5), "tweets": records()}
    places = [
        Place(bars("topics-time", "Topics over time", "What are tweets about, and when?", over), GRID_WIDTH),
        Place(
            table("topics-felt", "Topics and how they feel", "How large are topics, and how do they feel?", felt), 24
        ),
        Place(bars("models-time", "Models", "Which model gave the topics that are shown?", models), 24),
        Place(
            session(
                "no-topic",
                "Tweets without a topic",
                "Which tweets have no topic: no known word, no clear topic, or a language without topics?",
                COLUMNS,
                "topic_id: -1",
            ),
            GRID_WIDTH,
        ),
    ]
    return dashboard("topics-board", "Topics", "Topics of the tweets, from the documents.", places), places


def sources() -> tuple[Object, list[Place]]:
    """Return the dashboard Sources and languages and its panels."""
    by_source = {"time": over_time(), "split": top("source", "Source", 10), "tweets": records()}
    by_language = {
        "language": top("lang", "Language", 30),
        "tweets": records(),
        "scored": number_of(SENTIMENT, "With sentiment"),
        "mean": mean(SENTIMENT, "Mean sentiment"),
    }
    hashtags = {"hashtag": top("hashtags", "Hashtag", 20), "tweets": records()}
    places = [
        Place(bars("sources-time", "Sources over time", "Where do tweets come from?", by_source), GRID_WIDTH),
        Place(
            table(
                "languages",
                "Languages",
                "Which languages are written, and how do they feel? A language without sentiment has no mean.",
                by_language,
            ),
            24,
        ),
        Place(table("hashtags", "Hashtags", "Which hashtags are used most?", hashtags), 24),
        Place(
            session(
                "links",
                "Tweets with links",
                "What is linked?",
                ("text", "link_domains", "links"),
                "link_domains: *",
            ),
            GRID_WIDTH,
        ),
    ]
    board = dashboard("sources-board", "Sources and languages", "Where tweets come from, and their languages.", places)
    return board, places
