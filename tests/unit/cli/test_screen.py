"""Tables that several commands show."""

from __future__ import annotations

from twitter_topics.cli.screen import topics_table
from twitter_topics.page.overview import TopicRow, TopicsNow


def test_the_language_of_a_topic_is_shown_if_languages_have_their_own() -> None:
    storm, taifu = (
        TopicRow(1, "storm", ["storm"], 9, 9, 0.1, language="en"),
        TopicRow(2, "台風", ["台風"], 5, 0, None, language="ja"),
    )
    nothing = TopicRow(-1, "no topic", [], 3, 0, None)
    table = topics_table(TopicsNow(0, [storm, taifu, nothing]))
    assert [column.header for column in table.columns] == ["topic", "language", "top words", "last hour", "sentiment"]
    assert list(table.columns[1].cells) == ["en", "ja", ""]
    assert [column.header for column in topics_table(TopicsNow(0, [nothing])).columns][1] == "top words"
