"""`twitter-topics topics`: what people are talking about."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from twitter_topics.cli.screen import hour_sentence, say, screen, stack_settings, topics_table


def topics(as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False) -> None:
    """Show the topics of the newest hour, most tweets first."""
    from twitter_topics.page.overview import RealSources, topics_now

    now = topics_now(RealSources(stack_settings()))
    if as_json:
        screen.print_json(data=asdict(now))
        return
    if now.rows:
        screen.print(topics_table(now))
    say("\n" + hour_sentence(now) if now.rows else "no topics yet; the DAG topic_retraining trains the first model")
