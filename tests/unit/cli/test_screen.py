"""Tables that several commands show."""

from __future__ import annotations

from twitter_topics.cli.screen import topics_table
from twitter_topics.page.overview import TopicsNow
from twitter_topics.page.rows import TopicRow


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


def test_names_have_the_label_in_brackets_and_topics_shown_together_one_row() -> None:
    storm = TopicRow(1, "storm · wind", ["storm"], 9, 9, 0.1, name="Storm [bold]")
    flood, gone = TopicRow(2, "flood", ["flood"], 5, 1, 0.6, shown_with=1), TopicRow(4, "", [], 0, 0, None)
    rain = TopicRow(3, "rain", ["rain"], 2, 0, None, shown_with=4)
    table = topics_table(TopicsNow(0, [storm, flood, rain, gone]))
    assert list(table.columns[0].cells) == ["Storm \\[bold] (storm · wind) + flood", "topic 4 + rain"]
    assert list(table.columns[2].cells) == ["14", "2"]
    assert list(table.columns[3].cells) == ["n 10  [green]+0.15[/]", "–"]
