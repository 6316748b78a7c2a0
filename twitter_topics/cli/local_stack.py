"""Commands for the local stack: up, down, stop, clean, status, doctor, logs."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from twitter_topics.cli.screen import say, screen, table
from twitter_topics.errors import EXIT_FAILED, ConfigurationError
from twitter_topics.settings import Settings

if TYPE_CHECKING:
    from twitter_topics.local.services import Group
    from twitter_topics.local.status import StackStatus

WholeHistory = Annotated[
    bool, typer.Option("--whole-history", help="with replay: raise the limits on age to the oldest tweet, for this run")
]

Languages = Annotated[
    str, typer.Option("--languages", help="of the generated tweets, such as en,es,pt,ja,de: everybody writes one")
]


def up(
    no_airflow: Annotated[bool, typer.Option("--no-airflow", help="servers and speed layer only")] = False,
    services_only: Annotated[bool, typer.Option("--services-only", help="servers only")] = False,
    whole_history: WholeHistory = False,
    languages: Languages = "",
) -> None:
    """Start missing services and return when everything is ready."""
    from twitter_topics.cli.run_settings import run_settings
    from twitter_topics.local import services

    groups: tuple[services.Group, ...] = services.GROUPS
    if no_airflow:
        groups = ("services", "speed")
    if services_only:
        groups = ("services",)
    bring_up(run_settings(whole_history, languages), groups)


def bring_up(settings: Settings, groups: tuple[Group, ...]) -> None:
    """Start the missing services of some groups.

    Raises:
        ConfigurationError: there is not enough memory, or a setting is wrong.
    """
    from twitter_topics.local import doctor
    from twitter_topics.local.stack import Stack

    stack = Stack(settings, say)
    if not stack.supervisor.is_alive() and not (memory := doctor.memory(settings, groups)).ok:
        raise ConfigurationError(f"not enough memory: {memory.detail}; {memory.fix}")
    stack.up(groups)
    if "batch" in groups:
        say(f"Airflow: {stack.ports.url('airflow')}  (users admin and viewer, passwords in {stack.layout.secrets})")


def down() -> None:
    """Stop everything."""
    from twitter_topics.local.stack import Stack

    Stack(Settings(), say).down()


def _names_of_services() -> list[str]:
    from twitter_topics.local.stack import Stack

    supervisor = Stack(Settings(), say).supervisor
    return sorted(supervisor.states()) if supervisor.is_alive() else []


def stop(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="services, as in `status`; without any, all", autocompletion=_names_of_services),
    ] = None,
) -> None:
    """Stop everything, like down, or some services. `up` starts them again."""
    from twitter_topics.local.stack import Stack

    stack = Stack(Settings(), say)
    if names:
        stack.stop(names)
    else:
        stack.down()


def clean(yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False) -> None:
    """Stop everything, and delete data, logs and secrets. Downloads stay."""
    from twitter_topics.local.stack import Stack

    stack = Stack(Settings(), say)
    if not yes:
        typer.confirm(f"Delete all data, logs and secrets in {stack.layout.state}?", abort=True)
    stack.clean()


def status(as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False) -> None:
    """Show every service and every query. Exit code 0 only if everything is healthy."""
    from twitter_topics.local import followed
    from twitter_topics.local import status as stack_status
    from twitter_topics.local.layout import Layout
    from twitter_topics.local.stack import Stack

    settings = Settings()
    stack = Stack(followed.as_started(Layout.of(settings.local), settings), say)
    now = stack_status.read(stack)
    if as_json:
        screen.print_json(data=now.as_dict())
    elif not now.up:
        say("the stack is not running; start it with `make up`")
    else:
        _show(now)
        if any(row.name == "api-server" for row in now.services):
            say(f"\nlog in to Airflow as admin or viewer; the passwords are in {stack.layout.secrets}")
    if not now.healthy:
        raise typer.Exit(EXIT_FAILED)


def doctor() -> None:
    """Check whether the stack can run, and show how to fix problems."""
    from twitter_topics.local import doctor as checks

    results = checks.examine(Settings())
    for result in results:
        mark = "[green]ok     [/]" if result.ok else "[red]problem[/]"
        screen.print(f"{mark} {result.name:9} {escape(result.detail)}")
        if result.fix:
            say(f"                  fix: {result.fix}")
    if not all(result.ok for result in results):
        raise typer.Exit(EXIT_FAILED)


def _names_of_logs() -> list[str]:
    from twitter_topics.local.layout import Layout

    return sorted(file.stem for file in Layout.of(Settings().local).log.glob("*.log"))


def logs(
    name: Annotated[str, typer.Argument(help="name of a service, as in `status`", autocompletion=_names_of_logs)],
    follow: Annotated[bool, typer.Option("-f", "--follow", help="follow new lines")] = False,
    lines: Annotated[int, typer.Option("-n", "--lines", min=1)] = 100,
) -> None:
    """Show the log of a service."""
    from twitter_topics.local.layout import Layout

    layout = Layout.of(Settings().local)
    if name not in (known := _names_of_logs()):
        raise ConfigurationError(f"{name!r} is not a known log; use one of {', '.join(known) or '(none yet)'}")
    command = ["tail", "-n", str(lines), *(["-F"] if follow else []), str(layout.service_log(name))]
    try:
        code = subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    if code:  # such as SIGPIPE, when nobody reads on; a shell shows a signal so
        raise typer.Exit(code if code > 0 else 128 - code)


def _show(now: StackStatus) -> None:
    services = table("service", "phase", "pid", "restarts", "address", right=("pid", "restarts"))
    for row in now.services:
        color = "green" if row.ok else "red"
        phase = row.phase if row.ok or row.phase != "running" else "running, no answer"
        pid = str(row.pid) if row.pid else ""
        services.add_row(row.name, f"[{color}]{phase}[/]", pid, str(row.restarts), row.url)
    screen.print(services)
    if not now.parts:
        return
    parts = table("part", "state", "rate/s", "lag", "reported", "", right=("rate/s", "lag", "reported"))
    for part in now.parts:
        color = "green" if part.ok else "red"
        age = "" if part.state == "silent" else f"{part.age_seconds:.0f} s ago"
        numbers = (f"{part.rate:.1f}", f"{part.lag:.0f}", age)
        message = "; ".join(text for text in (part.error[:200], part.detail[:200]) if text)
        parts.add_row(part.part, f"[{color}]{part.state}[/]", *numbers, escape(message))
    screen.print()
    screen.print(parts)
