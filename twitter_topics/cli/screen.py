"""Output shared by several commands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from twitter_topics.audit.balance import Report
    from twitter_topics.page.overview import TopicsNow
    from twitter_topics.page.rows import TopicRow
    from twitter_topics.settings import Settings

screen = Console(highlight=False, soft_wrap=True)
COLORS = {"ok": "green", "lagging": "yellow", "broken": "red"}
_WORDS_SHOWN = 6
_CLEAR_SENTIMENT = 0.05


def stack_settings() -> Settings:
    """Return the settings, completed with the addresses of the local stack."""
    from twitter_topics.local import environment
    from twitter_topics.settings import Settings

    environment.adopt(Settings())
    return Settings()


def say(line: str, style: str = "") -> None:
    """Print a line; brackets in it are not markup."""
    screen.print(line, markup=False, style=style)


def clean(text: str) -> str:
    """Return foreign text for one line of a terminal: control characters become spaces."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def cell(text: str) -> str:
    """Return foreign text for a cell of a table: brackets in it are not markup either."""
    return escape(clean(text))


def table(*headings: str, right: tuple[str, ...] = ()) -> Table:
    """Return an empty table without frames."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        made.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    return made


def topics_table(now: TopicsNow) -> Table:
    """Return name and label, top words, tweets in the last hour and mean sentiment of each topic, and its language if
    languages have topics of their own. Topics that are shown together have one row.

    A mean that does not rest on all tweets has the number of those it rests on: only some languages have a sentiment.
    """
    from twitter_topics.page.rows import shown_together

    spoken = any(row.language for row in now.rows)
    headings = ("topic", *(["language"] if spoken else []), "top words", "last hour", "sentiment")
    made = table(*headings, right=("last hour", "sentiment"))
    for row in shown_together(now.rows):
        words = ", ".join(row.top_words[:_WORDS_SHOWN])
        language = [escape(row.language)] if spoken else []
        made.add_row(escape(_topic(row)), *language, escape(words), f"{row.tweets:,}", _mood(row))
    return made


def hour_sentence(now: TopicsNow) -> str:
    """Return a sentence with the hour of the table."""
    if now.end_ms is None:
        return "No tweets are counted yet."
    total = sum(row.tweets for row in now.rows)
    end = datetime.fromtimestamp(now.end_ms / 1000, UTC)
    return f"{total:,} tweets in the hour until {end:%Y-%m-%d %H:%M:%S} UTC"


def balance_table(report: Report) -> Table:
    """Return the number of records at each hop."""
    facts = report.facts
    made = table("hop", "records", "", right=("records",))
    rejects = f"{facts.archive_rejects:,} of them rejected" if facts.archive_rejects else ""
    expired = f"{facts.expired_from_index:,} deleted by retention" if facts.expired_from_index else ""
    stages = ", ".join(f"{stage} {count:,}" for stage, count in facts.dead_letters.items())
    made.add_row("produced", f"{facts.produced:,}", "records in Kafka when the audit began")
    made.add_row("archived", f"{facts.archived:,}", rejects)
    made.add_row("  distinct tweets", f"{facts.archived_distinct:,}", "")
    made.add_row("indexed", f"{facts.indexed:,}", expired)
    made.add_row("counted", f"{facts.counted_before_cut:,}", "")
    made.add_row("dead letters", f"{sum(facts.dead_letters.values()):,}", escape(stages))
    return made


def show_findings(report: Report) -> None:
    """Print a line for each mismatch."""
    for finding in report.findings:
        style = {"note": "", "behind": "yellow"}.get(finding.kind, "red")
        say(f"{finding.hop}: {finding.text}", style)


def _topic(row: TopicRow) -> str:
    label = f" ({row.label})" if row.name and row.label else ""
    others = [part.called for part in row.parts if part.topic_id != row.topic_id]
    return " + ".join([row.called + label, *others])


def _mood(row: TopicRow) -> str:
    sentiment = row.sentiment
    if sentiment is None:
        return "–"
    basis = f"n {row.scored:,}  " if row.scored < row.tweets else ""
    color = "green" if sentiment >= _CLEAR_SENTIMENT else "red" if sentiment <= -_CLEAR_SENTIMENT else "default"
    return f"{basis}[{color}]{sentiment:+.2f}[/]"
