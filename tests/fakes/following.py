"""Following a source on a fake network."""

from __future__ import annotations

from producer.source import Event, Source


def follow(source: Source, number: int) -> list[Event]:
    """Return events until this many other than gaps have arrived, then close the source."""
    events: list[Event] = []
    for event in source.events():
        events += [] if event is None else [event]
        if sum(one.kind != "gap" for one in events) == number:
            break
    source.close()
    return events


def keys(events: list[Event], kind: str = "post") -> list[str]:
    """Return the keys of the events of a kind."""
    return [event.key.decode() for event in events if event.kind == kind]
