"""`twitter-topics demo`: from nothing to topics."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from twitter_topics.cli.local_stack import Languages, WholeHistory, bring_up
from twitter_topics.cli.screen import (
    balance_table,
    cell,
    hour_sentence,
    say,
    screen,
    show_findings,
    stack_settings,
    table,
    topics_table,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twitter_topics.local.stack import Stack

_GIB = 2**30


def demo(whole_history: WholeHistory = False, languages: Languages = "") -> None:
    """Start everything, train a first model on the first tweets, and show what people talk about.

    On a stack with a model it only waits until all numbers agree, and shows them.
    """
    from twitter_topics.cli.run_settings import run_settings
    from twitter_topics.local import services
    from twitter_topics.local.memory import PeakMemory
    from twitter_topics.local.stack import Stack
    from twitter_topics.local.tour import Tour
    from twitter_topics.page.overview import RealSources, topics_now

    began = time.monotonic()
    chosen = run_settings(whole_history, languages)
    stack = Stack(chosen, say)
    with PeakMemory(stack.supervisor.leftovers) as memory:
        bring_up(chosen, services.GROUPS)
        settings = stack_settings()
        tour = Tour(stack, settings, lambda line: say(f"{time.monotonic() - began:6.1f} s  {line}"), _waiting)
        tour.wait_for_tweets()
        tour.wait_for_champion()
        report = tour.wait_for_balance()
        now = topics_now(RealSources(settings))
    say("")
    screen.print(topics_table(now))
    say("\n" + hour_sentence(now) + "\n")
    screen.print(balance_table(report))
    show_findings(report)
    say("")
    _show_addresses(stack)
    seconds, gib = time.monotonic() - began, memory.peak / _GIB
    say(f"\n{seconds:.0f} s since the start; the stack used at most {gib:.1f} GiB of memory.")
    say("Everything keeps running. `make status` shows it, `make stop` stops it.")


@contextmanager
def _waiting(text: str) -> Iterator[Callable[[str], None]]:
    """A line that changes in place."""
    with screen.status(text) as status:
        yield status.update


def _show_addresses(stack: Stack) -> None:
    from twitter_topics.local import secrets

    password = secrets.load(stack.layout.secrets)["AIRFLOW_ADMIN_PASSWORD"]
    shown = password if sys.stdout.isatty() else f"(in {stack.layout.secrets})"
    airflow = stack.ports.url("airflow")
    variables = stack.addresses.variables
    addresses = table("where", "address")
    addresses.add_row("Airflow", airflow)
    addresses.add_row("  topics page", f"{airflow}/plugin/topics")
    addresses.add_row("  login", cell(f"admin, password {shown}"))
    addresses.add_row("Elasticsearch", cell(variables["ELASTICSEARCH_URL"]))
    addresses.add_row("InfluxDB", cell(variables["INFLUXDB_URL"]))
    addresses.add_row("S3", cell(variables.get("S3_ENDPOINT_URL", "AWS")))
    addresses.add_row("Kafka", cell(variables["KAFKA_BOOTSTRAP_SERVERS"]))
    screen.print(addresses)
