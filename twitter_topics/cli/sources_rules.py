"""Compares the rules of X's filtered stream with a file and applies the changes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from producer.sources.x_v2 import rules as x_rules
from twitter_topics.backends.x_api import XApi
from twitter_topics.cli.screen import cell, say, screen, table
from twitter_topics.errors import ConfigurationError, RetryableError

if TYPE_CHECKING:
    from twitter_topics.settings import Settings


def rules(settings: Settings, file: Path | None, *, apply: bool) -> None:
    """Show the difference between the file and the account, let X check it, and with `apply` carry it out.

    Args:
        file: the YAML file; None = X_RULES_FILE.

    Raises:
        ConfigurationError: no file, an invalid rule, or X rejects one.
        RetryableError: X is unreachable or busy.
    """
    path = file or (Path(settings.x.rules_file) if settings.x.rules_file else None)
    if path is None:
        raise ConfigurationError("X_RULES_FILE is not set: set it, or name a file of rules")
    wanted = x_rules.read_rules(path)
    api = XApi(settings.x, lambda: time.time_ns() // 1_000_000)
    todo = x_rules.plan(wanted, x_rules.fetch(api))
    _show(todo)
    if not todo:
        say(f"\nthe account already has the {len(todo.keep)} rules in {path}")
        return
    x_rules.validate(api, todo)
    if not apply:
        say(f"\n{len(todo.add)} to add, {len(todo.delete)} to delete, {len(todo.keep)} unchanged. X accepts them.")
        say("Nothing was changed: use --apply to apply them.")
        return
    x_rules.apply(api, todo, say)
    left = x_rules.plan(wanted, x_rules.fetch(api))
    if left:
        raise RetryableError("the account's rules still differ: somebody else may be changing them. Try again.")
    say(f"the account has the {len(wanted)} rules in {path}; a new rule takes effect within about 20 seconds")


def _show(todo: x_rules.Plan) -> None:
    made = table("", "rule", "tag")
    for sign, style, some in (("+", "green", todo.add), ("-", "red", todo.delete), (" ", "dim", todo.keep)):
        for rule in some:
            made.add_row(f"[{style}]{sign}[/]", f"[{style}]{cell(rule.value)}[/]", cell(rule.tag))
    screen.print(made)
