"""`twitter-topics replay`: sends files of tweets to the running stack."""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twitter_topics.cli.screen import clean, say, stack_settings
from twitter_topics.errors import EXIT_FAILED, ConfigurationError
from twitter_topics.settings.sections import REPLAY_SPEED

if TYPE_CHECKING:
    from twitter_topics.settings import Settings


class Times(StrEnum):
    """What happens to the tweets' times."""

    keep = "keep"
    shift = "shift"


def _speed(text: str) -> str:
    if not re.fullmatch(REPLAY_SPEED, text):
        raise typer.BadParameter(f"{text!r} is neither max nor a multiple of real time, such as 60")
    return text


def replay(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="files or folders of tweets, s3://BUCKET/PREFIX, or archive")
    ],
    speed: Annotated[str, typer.Option("--speed", help="multiple of real time, or max", callback=_speed)] = "max",
    times: Annotated[Times, typer.Option("--times", help="shift: the newest tweet happens now")] = Times.keep,
    limit: Annotated[int, typer.Option("--limit", min=0, help="at most so many records of each file; 0 = all")] = 0,
    strict: Annotated[bool, typer.Option("--strict", help="stop at a damaged file")] = False,
    again: Annotated[bool, typer.Option("--again", help="start over, even if it was sent before")] = False,
) -> None:
    """Send files of tweets to Kafka, one after the other. docs/inputs.md lists the formats.

    All files are looked at before anything is sent. After a stop, the same command continues. Tweets older than
    SPEED_MAX_AGE_DAYS are rejected by the streaming apps, whatever is set here; how many is shown at the start. A file
    or folder with the name archive is ./archive.
    """
    from producer.__main__ import prepared, run
    from producer.position import PositionFile
    from producer.sources import open_source
    from twitter_topics.logs import configure_logging
    from twitter_topics.settings import Settings

    base = stack_settings()
    options = {
        "PRODUCER_SOURCE": "replay",
        "PRODUCER_REPLAY_SPEED": speed,
        "PRODUCER_REPLAY_TIMES": times,
        "PRODUCER_REPLAY_STRICT": str(strict),
        "PRODUCER_LIMIT": str(limit),
        "PRODUCER_METRICS_PORT": "0",
    }
    runs = {name: Settings(options | _places(_located(name), base)) for name in dict.fromkeys(files)}
    configure_logging()
    context = prepared()
    for settings in runs.values():
        open_source(settings, "replay", None, context).close()
    for name, settings in runs.items():
        if again:
            PositionFile(settings.producer.state_dir, "replay").path.unlink(missing_ok=True)
        kinds = run(settings, "replay", context, part="replay")
        sent = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items())) or "nothing new"
        say(f"{clean(name)}: {sent}")
        if context.stop.is_set():
            say("stopped; the same command continues")
            raise typer.Exit(EXIT_FAILED)


def _located(file: str) -> str:
    from twitter_topics.settings import REPLAY_ARCHIVE

    if file == REPLAY_ARCHIVE and Path(file).exists():
        raise ConfigurationError(
            f"{file} is the stack's archive, but here is something of that name: write ./{file} for it, or run this in "
            "another folder for the archive"
        )
    return file if "://" in file or file == REPLAY_ARCHIVE else str(Path(file).expanduser().resolve())


def _places(file: str, base: Settings) -> dict[str, str]:
    """Return the settings of one file: each has its own position, next to those of the stack's producers."""
    name = hashlib.sha256(file.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    folder = base.producer.state_dir / "replays" / name
    return {"PRODUCER_REPLAY_FILE": file, "PRODUCER_STATE_DIR": str(folder), "SPEED_HEALTH_DIR": str(folder / "health")}
