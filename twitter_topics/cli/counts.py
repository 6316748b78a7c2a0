"""`twitter-topics counts`: the state of the counts, and how to rebuild it or its view in InfluxDB."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from twitter_topics.cli.screen import say, screen, stack_settings

app = typer.Typer(help="Show the state of the counts, or rebuild it.", no_args_is_help=True)


class Origin(StrEnum):
    """What a rebuild starts from."""

    state = "state"
    kafka = "kafka"
    archive = "archive"


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False) -> None:
    """Show how far the tweets are counted, and how far InfluxDB is behind."""
    from twitter_topics.counts.state import CountsState
    from twitter_topics.counts.status import describe

    state = CountsState.of(stack_settings())
    state.require()
    found = describe(state)
    if as_json:
        screen.print_json(data=found)
        return
    for name, value in found.items():
        say(f"{name.replace('_', ' '):<20} {value}")


@app.command()
def rebuild(
    origin: Annotated[
        Origin,
        typer.Option(
            "--from",
            help="state: show all counts in InfluxDB again; kafka: count processed_tweets again, and from the archive "
            "what Kafka no longer has; archive: count every archived tweet again with the champion",
        ),
    ] = Origin.state,
) -> None:
    """Publish all counts to InfluxDB again, or count again.

    Counting again forgets the counts; the running aggregator then counts by itself, and `twitter-topics counts status`
    shows how far it is.
    """
    from twitter_topics.counts.publication import Publisher
    from twitter_topics.counts.restoration import Scope
    from twitter_topics.counts.state import CountsState
    from twitter_topics.counts.view import CountsView

    settings = stack_settings()
    state = CountsState.of(settings)
    state.require()
    if origin is not Origin.state:
        state.reset(Scope.all if origin is Origin.archive else Scope.expired)
        say("the aggregator counts again; `twitter-topics counts status` shows how far it is")
        return
    state.publish_all()
    points = Publisher(state, CountsView(settings.influx)).publish()
    say(f"{points:,} points are in InfluxDB")
