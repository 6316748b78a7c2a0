"""`twitter-topics dead-letters`: what was rejected and why, and another try."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, Annotated

import typer

from twitter_topics.cli.screen import cell, clean, say, screen, stack_settings, table
from twitter_topics.errors import EXIT_FAILED, ConfigurationError

if TYPE_CHECKING:
    from twitter_topics.backends.dead_letters import Letter
    from twitter_topics.settings import Settings

app = typer.Typer(help="Show rejected records with the reason, and send them again.", invoke_without_command=True)

Reason = Annotated[str, typer.Option("--reason", help="only reasons that begin like this, such as time or unknown")]
_SHOWN_CHARACTERS = 2_000
_AT_ONCE = 200
"""Records in memory at a time, each up to 900 kB."""


@app.callback()
def summary(
    context: typer.Context,
    reason: Reason = "",
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """Show how many records were rejected, by stage and reason, with the newest one of each."""
    if context.invoked_subcommand is not None:
        return
    groups: defaultdict[tuple[str, str], list[Letter]] = defaultdict(list)
    for letter in _letters(stack_settings(), reason):
        groups[letter.stage, letter.kind].append(letter)
    if as_json:
        rows = [
            {"stage": stage, "reason": kind, "records": len(found), "newest": found[-1].name, "at_ms": found[-1].at_ms}
            for (stage, kind), found in sorted(groups.items())
        ]
        screen.print_json(data=rows)
        return
    made = table("stage", "reason", "records", "newest (UTC)", "example", right=("records",))
    for (stage, kind), found in sorted(groups.items()):
        made.add_row(cell(stage), cell(kind), f"{len(found):,}", _time(found[-1].at_ms), cell(found[-1].name))
    screen.print(made)
    if groups:
        say("\n`twitter-topics dead-letters show EXAMPLE` shows one; `retry` sends them through the raw topic again.")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="a record, as the summary names it: TOPIC-PARTITION-OFFSET")],
) -> None:
    """Show a rejected record: the reason, and its whole payload from Kafka or the archive."""
    from twitter_topics.archive.rejected import RejectedRecords

    settings = stack_settings()
    letter = _named(_letters(settings, ""), name)
    ((_, record),) = RejectedRecords(settings).find([letter])
    say(f"{letter.name}: rejected at {_time(letter.at_ms)} UTC ({letter.stage})")
    say(f"reason: {clean(letter.reason)}")
    if record is None:
        say(f"the first {len(letter.head):,} of {letter.size:,} bytes; the rest is neither in Kafka nor in the archive")
    for header, value in record.headers if record else ():
        say(f"{clean(header)}: {clean(value.decode('utf-8', 'replace'))}")
    payload = (record.value if record else letter.head).decode("utf-8", "replace")
    say(clean(payload[:_SHOWN_CHARACTERS]) + (" …" if len(payload) > _SHOWN_CHARACTERS else ""))


@app.command()
def retry(
    names: Annotated[list[str] | None, typer.Argument(help="records; none: all that --reason names")] = None,
    reason: Reason = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only show what would be sent")] = False,
) -> None:
    """Send rejected records through the raw topic again, once the cause of the rejection is fixed.

    A record that is accepted now is archived, indexed and counted once, however often it is sent. Its old dead letter
    stays. Exit code 1: a record could not be found any more.
    """
    from twitter_topics.archive.rejected import RejectedRecords

    if not names and not reason:
        raise ConfigurationError("name the records, or their --reason, such as --reason unknown")
    settings = stack_settings()
    letters = _letters(settings, reason)
    chosen = [_named(letters, name) for name in names] if names else letters
    rejected, sent, lost = RejectedRecords(settings), 0, 0
    for start in range(0, len(chosen), _AT_ONCE):
        found = rejected.find(chosen[start : start + _AT_ONCE])
        for letter, record in found:
            if record is None:
                say(f"{letter.name} is neither in Kafka nor in the archive ({clean(letter.reason)})", "yellow")
        records = [record for _, record in found if record is not None]
        sent += len(records) if dry_run else rejected.retry(records)
        lost += len(found) - len(records)
    say(f"{sent:,} records would be sent" if dry_run else f"{sent:,} records sent to {settings.kafka.raw_topic}")
    if lost:
        raise typer.Exit(EXIT_FAILED)


def _letters(settings: Settings, reason: str) -> list[Letter]:
    from twitter_topics.backends.dead_letters import read_letters

    return [letter for letter in read_letters(settings.kafka) if letter.reason.startswith(reason)]


def _named(letters: list[Letter], name: str) -> Letter:
    found = next((letter for letter in letters if letter.name == name), None)
    if found is None:
        raise ConfigurationError(f"{clean(name)!r} is not a dead letter; `twitter-topics dead-letters` lists them")
    return found


def _time(unix_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(unix_ms / 1000))
