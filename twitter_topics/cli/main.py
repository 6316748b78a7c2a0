"""The command `twitter-topics`. Its subcommands are in the other modules of this package.

Those modules must be quick to import (heavy imports go into functions): `status` should not wait for Spark.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from twitter_topics.cli import audit, counts, dead_letters, demo, local_stack, models, replay, sources, topics
from twitter_topics.cli.screen import say
from twitter_topics.errors import (
    EXIT_CONFIGURATION,
    EXIT_FAILED,
    EXIT_TRY_AGAIN,
    ConfigurationError,
    RetryableError,
    TwitterTopicsError,
)

_EXIT_CODES_HELP = """
Exit codes: 0 done; 1 failed, unhealthy, or (audit) tweets lost, duplicated or stuck; 2 wrong usage;
75 not ready or unavailable, try again; 78 wrong configuration, or another driver of a streaming app has taken over.
"""


class _Sentences(TyperGroup):
    """Prints errors raised deliberately as a sentence with an exit code, not as a traceback; and what the terminal's
    encoding lacks as question marks."""

    def invoke(self, ctx: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="replace")
        try:
            return super().invoke(ctx)
        except TwitterTopicsError as error:
            Console(stderr=True, highlight=False, soft_wrap=True).print(str(error), markup=False, style="red")
            raise typer.Exit(_exit_code(error)) from None


def _exit_code(error: TwitterTopicsError) -> int:
    if isinstance(error, ConfigurationError):
        return EXIT_CONFIGURATION
    return EXIT_TRY_AGAIN if isinstance(error, RetryableError) else EXIT_FAILED


app = typer.Typer(
    cls=_Sentences,
    help="Finds out what people are talking about, as they talk.",
    epilog=_EXIT_CODES_HELP,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # they would show secrets
)


def _show_version(wanted: bool) -> None:
    if wanted:
        say(f"twitter-topics {version('twitter-topics')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    pass


for command in (local_stack.up, local_stack.down, local_stack.status, local_stack.doctor, local_stack.logs):
    app.command()(command)
app.command()(local_stack.clean)
app.command()(replay.replay)
app.command()(local_stack.stop)
for command in (demo.demo, models.models, audit.audit):
    app.command()(command)
app.add_typer(topics.app, name="topics")
app.add_typer(sources.app, name="sources")
app.add_typer(counts.app, name="counts")
app.add_typer(dead_letters.app, name="dead-letters")

if __name__ == "__main__":
    app()
