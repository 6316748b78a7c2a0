"""`twitter-topics topics`: what people are talking about, and the names that they give it."""

from __future__ import annotations

import getpass
import os
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from twitter_topics.cli.screen import hour_sentence, say, screen, stack_settings, topics_table

app = typer.Typer(help="Show the topics of the newest hour, and name them.", invoke_without_command=True)


@app.callback()
def topics(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False
) -> None:
    """Show the topics of the newest hour, most tweets first.

    With --json each topic by itself, with the model's label, its name, and the topic that it is shown with.
    """
    if context.invoked_subcommand is not None:
        return
    from twitter_topics.backends.s3 import BRISK
    from twitter_topics.page.overview import RealSources, topics_now

    now = topics_now(RealSources(stack_settings(), BRISK))
    if as_json:
        screen.print_json(data=asdict(now))
        return
    if now.rows:
        screen.print(topics_table(now))
    say("\n" + hour_sentence(now) if now.rows else "no topics yet; the DAG topic_retraining trains the first model")
    if now.names_fault:
        say(now.names_fault, "yellow")


@app.command()
def name(
    topic_id: Annotated[int, typer.Argument(help="as `twitter-topics topics --json` shows it", min=0)],
    called: Annotated[str, typer.Argument(metavar="[NAME]", help="none: the label of the model")] = "",
    shown_with: Annotated[int | None, typer.Option("--with", help="a topic to show it with; else by itself")] = None,
    reason: Annotated[str, typer.Option("--reason", help="kept with the change")] = "",
) -> None:
    """Call a topic by a name, or show it together with another one. Counts, documents and models stay as they are."""
    from twitter_topics.backends.s3 import BRISK
    from twitter_topics.topic_models.registry.store import ModelStore
    from twitter_topics.topic_models.registry.topic_names import sentence, set_naming

    models, now = ModelStore(stack_settings(), patience=BRISK), datetime.now(UTC)
    try:
        names = set_naming(models, topic_id, name=called, shown_with=shown_with, by=_user(), at=now, reason=reason)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    say(sentence(names, topic_id))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # containers run as users without a name
        return f"user {os.getuid()}"
