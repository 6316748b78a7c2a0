"""The command `twitter-topics`: what it can do, one line each. The commands themselves are in the modules beside.

Modules of commands must be light to import (heavy imports go into the functions): `status` should not wait for Spark.
"""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from twitter_topics.cli import audit, demo, local_stack, models, sources, topics
from twitter_topics.errors import EXIT_CONFIGURATION, ConfigurationError, TwitterTopicsError


class _Sentences(TyperGroup):
    """What went wrong on purpose is a sentence, not a traceback.

    Exit codes: 0 done, 1 failed or not healthy, 2 wrong usage, 78 wrong configuration.
    """

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except TwitterTopicsError as error:
            Console(stderr=True, highlight=False, soft_wrap=True).print(str(error), markup=False, style="red")
            raise typer.Exit(EXIT_CONFIGURATION if isinstance(error, ConfigurationError) else 1) from None


app = typer.Typer(
    cls=_Sentences,
    help="Finds out what people are talking about, as they talk.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they would show secrets
)
for command in (local_stack.up, local_stack.down, local_stack.status, local_stack.doctor, local_stack.logs):
    app.command()(command)
for command in (demo.demo, topics.topics, models.models, audit.audit):
    app.command()(command)
app.add_typer(sources.app, name="sources")

if __name__ == "__main__":
    app()
