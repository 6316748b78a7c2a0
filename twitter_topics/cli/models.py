"""`twitter-topics models`: the registered versions and the champion."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape

from twitter_topics.cli.screen import say, screen, stack_settings, table

_NUMBERS = ("tweets", "topics", "coherence", "diversity", "perplexity")


def models(as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False) -> None:
    """List the registered model versions, oldest first."""
    from twitter_topics.topic_models.registry.store import ModelStore

    store = ModelStore(stack_settings())
    champion = store.champion()
    serving = champion.version if champion else ""
    rows = [_row(store.manifest(version), version == serving) for version in store.versions()]
    if as_json:
        screen.print_json(data=rows)
        return
    if not rows:
        say("no model yet; the DAG topic_retraining trains the first one")
        return
    made = table("", "version", *_NUMBERS, right=_NUMBERS)
    for row in rows:
        metrics = row["metrics"]
        made.add_row(
            "[green]*[/]" if row["champion"] else "",
            escape(row["version"]),
            f"{row['documents']:,}",
            str(metrics.get("topics", "")),
            *(_number(metrics.get(name), 3) for name in ("coherence", "diversity")),
            _number(metrics.get("perplexity"), 1),
        )
    screen.print(made)
    if champion:
        since = f"{champion.promoted_at[:19]} UTC"
        say(f"\n* {champion.version} is champion since {since}, by {champion.by}: {champion.reason}")


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _row(manifest: dict[str, Any], champion: bool) -> dict[str, Any]:
    return {
        "version": manifest["version"],
        "champion": champion,
        "created_at": manifest.get("created_at", ""),
        "trainer": manifest.get("trainer", ""),
        "documents": manifest.get("documents", 0),
        "metrics": manifest.get("metrics", {}),
    }
