"""`twitter-topics audit`: is every produced record archived once, indexed once and counted once?"""

from __future__ import annotations

from typing import Annotated

import typer

from twitter_topics.cli.screen import COLORS, balance_table, say, screen, show_findings, stack_settings
from twitter_topics.errors import EXIT_FAILED, EXIT_TRY_AGAIN

EXIT_CODES = {"ok": 0, "lagging": EXIT_TRY_AGAIN, "broken": EXIT_FAILED}


def audit(
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
    wait: Annotated[
        float,
        typer.Option(
            "--wait",
            min=0,
            metavar="SECONDS",
            help="how long to wait for records still on their way; it takes 45 to know that some are stuck",
        ),
    ] = 60,
) -> None:
    """Compare Kafka, archive, Elasticsearch and InfluxDB for all records produced so far.

    Reads the stores themselves, never the apps' own counters. Exit code 0: everything balances. 1: something is lost,
    duplicated or stuck. 75: something is still on its way, or a store is unavailable.
    """
    from twitter_topics.audit.report import as_dict
    from twitter_topics.audit.run import audit as look
    from twitter_topics.audit.stores import RealStores

    settings = stack_settings()
    retention_days = settings.elasticsearch.retention_days
    report = look(RealStores(settings), retention_days=retention_days, wait_seconds=wait)
    if as_json:
        screen.print_json(data=as_dict(report))
    else:
        screen.print(balance_table(report))
        say("")
        show_findings(report)
        say(report.state, COLORS[report.state])
    raise typer.Exit(EXIT_CODES[report.state])
