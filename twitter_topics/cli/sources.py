"""`twitter-topics sources`: the sources, what they need and cost, whether they work, and what they missed."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr

from twitter_topics.cli.screen import cell, clean, say, screen, stack_settings, table
from twitter_topics.sources import SOURCES, SourceInfo

if TYPE_CHECKING:
    from twitter_topics.records.gap import Gap
    from twitter_topics.settings import Settings

app = typer.Typer(help="List sources, try one, apply X's rules, and show gaps.", no_args_is_help=True)

_DAY_MS = 24 * 3600 * 1000
_MOST_DAYS = 36_500


def missing(source: SourceInfo, settings: Settings) -> list[str]:
    """Return the settings that a source needs and that are empty."""
    return [name for name in source.needs if not _value(settings, name)]


def _value(settings: Settings, variable: str) -> str:
    section, _, field = variable.lower().partition("_")
    value = getattr(getattr(settings, section), field)
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


@app.command("list")
def list_sources(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """List the sources, what they need and cost, and which are followed."""
    settings = stack_settings()
    followed = settings.producer.sources
    rows = [(source, missing(source, settings)) for source in SOURCES.values()]
    if as_json:
        shown = [asdict(source) | {"missing": lacks, "followed": source.name in followed} for source, lacks in rows]
        screen.print_json(data=shown)
        return
    made = table("source", "state", "what", "costs")
    for source, lacks in rows:
        mark = " (followed)" if source.name in followed else ""
        state = "[red]needs " + "\n      ".join(lacks) + "[/]" if lacks else "[green]ready[/]"
        made.add_row(source.name + mark, state, source.what, source.costs)
    screen.print(made)
    say("\nSet PRODUCER_SOURCE to one or more, comma-separated. `twitter-topics sources check NAME` tries one.")


@app.command()
def check(
    name: Annotated[str, typer.Argument(help="source, as shown by `sources list`")],
    posts: Annotated[int, typer.Option("--posts", min=1, help="stop after this many posts")] = 5,
    seconds: Annotated[float, typer.Option("--seconds", min=1, help="stop after this many seconds")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Try a source and show its first posts. Nothing is sent to Kafka, and no position is saved.

    X charges for the posts, and they count against the caps. Exit code 1: no post arrived in time.
    """
    from producer.reporting.words import spend_sentence
    from twitter_topics.cli import sources_check
    from twitter_topics.errors import EXIT_FAILED, ConfigurationError

    if name not in SOURCES:
        raise ConfigurationError(f"{clean(name)!r} is not a known source; use one of {', '.join(SOURCES)}")
    result = sources_check.check(stack_settings(), name, posts, seconds, quiet=as_json)
    if as_json:
        screen.print_json(data=result.as_dict())
    else:
        say("\n" + result.ending)
        if result.spend is not None:
            say(spend_sentence(result.spend))
    if not result.posts:
        raise typer.Exit(EXIT_FAILED)


@app.command()
def rules(
    file: Annotated[Path | None, typer.Argument(help="YAML file of rules; default: X_RULES_FILE")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="apply the changes; by default only show them")] = False,
) -> None:
    """Compare the rules of X's filtered stream with a file: show what would be added and deleted."""
    from twitter_topics.cli import sources_rules

    sources_rules.rules(stack_settings(), file, apply=apply)


@app.command()
def gaps(
    days: Annotated[float, typer.Option("--days", min=0, max=_MOST_DAYS, help="how far back to look")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Show when nothing was received, why, and how many posts may be missing."""
    from twitter_topics.health.points import HealthPoints

    now_ms = time.time_ns() // 1_000_000
    points = HealthPoints(stack_settings().influx)
    try:
        found = points.gaps(now_ms - round(days * _DAY_MS), now_ms + 1)
    finally:
        points.close()
    if as_json:
        screen.print_json(data=[asdict(gap) for gap in found])
    elif found:
        _show_gaps(found)
    else:
        say(f"no gaps in the last {days:g} days")


def _show_gaps(found: list[Gap]) -> None:
    from producer.reporting.words import duration_text

    made = table(
        "source", "from (UTC)", "to (UTC)", "length", "cause", "posts missed", right=("length", "posts missed")
    )
    for gap in found:
        length, missed = duration_text(round(gap.seconds)), f"about {gap.estimated_posts:,}"
        made.add_row(cell(gap.source), _time(gap.from_ms), _time(gap.to_ms), length, cell(gap.cause), missed)
    screen.print(made)
    total, posts = duration_text(round(sum(gap.seconds for gap in found))), sum(gap.estimated_posts for gap in found)
    say(f"\n{len(found):,} gaps, {total} in total, about {posts:,} posts")


def _time(unix_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(unix_ms / 1000))
