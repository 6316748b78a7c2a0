"""`twitter-topics models`: the registered versions and the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from twitter_topics.cli.screen import say, screen, stack_settings, table
from twitter_topics.errors import IntegrityError

if TYPE_CHECKING:
    from twitter_topics.topic_models.registry.store import ModelStore

SHOWN = 20
"""Versions listed without `--all`, and the champion."""

_NUMBERS = ("tweets", "topics", "coherence", "diversity", "perplexity")


def models(
    version: Annotated[str, typer.Argument(help="show this version: origin, topics, evaluation, live drift")] = "",
    every: Annotated[bool, typer.Option("--all", help=f"not only the {SHOWN} newest")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """List the newest registered model versions, oldest first, or show one."""
    from twitter_topics.backends.s3 import BRISK
    from twitter_topics.topic_models.registry.promotion_tasks import awaits_approval, needs_approval
    from twitter_topics.topic_models.registry.store import ModelStore

    settings = stack_settings()
    store = ModelStore(settings, patience=BRISK)
    if version:
        _show(store, version, as_json=as_json)
        return
    champion, manifests = store.champion(), store.manifests(None if every else SHOWN + 1)
    serving = champion.version if champion else ""
    older, shown = (manifests[:-SHOWN], manifests[-SHOWN:]) if not every else ([], manifests)
    if champion and serving not in (manifest["version"] for manifest in shown) and store.is_registered(serving):
        shown.insert(0, store.manifest(serving))
    rows = [_row(manifest, manifest["version"] == serving) for manifest in shown]
    if as_json:
        screen.print_json(data=rows)
        return
    if not rows:
        say("no model yet; the DAG topic_retraining trains the first one")
        return
    made = table("", "version", *_NUMBERS, "gate", right=_NUMBERS)
    for row in rows:
        metrics = row["metrics"]
        made.add_row(
            "[green]*[/]" if row["champion"] else "",
            escape(row["version"]),
            f"{row['documents']:,}",
            str(metrics.get("topics", "")),
            *(_number(metrics.get(name), 3) for name in ("coherence", "diversity")),
            _number(metrics.get("perplexity"), 1),
            "provisional" if row["provisional"] and row["gate"] == "promote" else row["gate"].replace("_", " "),
        )
    screen.print(made)
    if older:
        say("older versions: twitter-topics models --all")
    if champion:
        since = f"{champion.promoted_at[:19]} UTC"
        provisional = any(row["champion"] and row["provisional"] for row in rows)
        title = "provisional champion" if provisional else "champion"
        say(f"\n* {champion.version} is {title} since {since}, by {champion.by}: {champion.reason}")
        if languages := next((row["metrics"].get("languages") for row in rows if row["champion"]), None):
            topics = " · ".join(f"{one['language']} {one['topics']}" for one in languages)
            say(f"  topics: {topics}; posts in other languages have none")
    if settings.topics.promotion == "approval" and (waiting := awaits_approval(store, shown)):
        say(f"\n{waiting} has passed the gate. {needs_approval(waiting)}")


def _show(store: ModelStore, version: str, *, as_json: bool) -> None:
    from rich.markdown import Markdown

    from twitter_topics.topic_models.registry.card import model_card
    from twitter_topics.topic_models.registry.drift import drift_card, read_drift
    from twitter_topics.topic_models.registry.topic_names import TopicNames, read_names
    from twitter_topics.topic_models.registry.version import is_version

    if not is_version(version):
        raise typer.BadParameter(f"{version!r} is not a version; `twitter-topics models` lists them")
    try:
        manifest = store.manifest(version)
    except IntegrityError as error:
        raise typer.BadParameter(f"{error}; `twitter-topics models` lists the versions") from None
    drift, names, faults = None, TopicNames(), []
    try:
        drift = read_drift(store, version)
    except IntegrityError as error:
        faults.append(str(error))
    try:
        names = read_names(store)
    except IntegrityError as error:
        faults.append(str(error))
    card = model_card(version, manifest, names)
    if drift:
        card += "\n" + drift_card(drift)
    if as_json:
        named = {topic_id: {"name": one.name, "shown_with": one.shown_with} for topic_id, one in names.topics.items()}
        screen.print_json(data=manifest | {"drift": drift, "names": named})
    elif screen.is_terminal:
        screen.print(Markdown(card))
    else:
        typer.echo(card)
    for fault in faults if not as_json else ():
        say(fault, "yellow")


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _row(manifest: dict[str, Any], champion: bool) -> dict[str, Any]:
    from twitter_topics.topic_models.registry.files import is_provisional, verdict_state

    return {
        "version": manifest["version"],
        "champion": champion,
        "provisional": is_provisional(manifest),
        "gate": verdict_state(manifest) if "evaluation" in manifest else "",
        "created_at": manifest.get("created_at", ""),
        "trainer": manifest.get("trainer", ""),
        "documents": manifest.get("documents", 0),
        "metrics": manifest.get("metrics", {}),
    }
