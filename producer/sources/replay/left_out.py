"""Files of a folder, and members of an archive, that are not read, and why."""

from __future__ import annotations

from collections import Counter

from producer.reporting.words import printable

_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".download", ".swp", "~")
_SHOWN = 3


def set_aside(name: str) -> str:
    """Return why a file of a folder is not even looked at; empty if it is."""
    if any(step.startswith((".", "_")) for step in name.split("/")):
        return "hidden"
    return "still being written" if name.lower().endswith(_UNFINISHED) else ""


class LeftOut:
    """Counts by reason, with the first few names."""

    def __init__(self, others: LeftOut | None = None) -> None:
        """Begin with what `others` hold."""
        self._names: dict[str, list[str]] = {why: [*names] for why, names in others._names.items()} if others else {}
        self._counts: Counter[str] = Counter(others._counts if others else {})

    def add(self, name: str, why: str) -> None:
        why = printable(why)
        names = self._names.setdefault(why, [])
        self._counts[why] += 1
        if len(names) < _SHOWN:
            names.append(printable(name))

    @property
    def only(self) -> str:
        """The only reason; empty when there are more or none."""
        return next(iter(self._counts)) if len(self._counts) == 1 else ""

    def sentence(self, before: str = "") -> str:
        """Return `left out: 2 CSV: use … (a.csv, b.csv); 1 hidden (.x)` after `before`; empty when there is none."""
        if not self._counts:
            return ""
        shown = []
        for why, count in self._counts.items():
            names = self._names[why]
            shown.append(f"{count:,} × {why} ({', '.join(names)}{', …' if count > len(names) else ''})")
        return f"{before}left out: {'; '.join(shown)}"
