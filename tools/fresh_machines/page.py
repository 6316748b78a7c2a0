"""docs/fresh-machines.md, rendered from the records alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tools.fresh_machines.record import Record
from tools.fresh_machines.systems import SUITES

_INTRODUCTION = """\
# Fresh machines
Each row is one run of `tools/fresh-machine` on a new root filesystem (debootstrap's `minbase` with {packages}),
with an empty home and a new clone, on a host with {cores} cores. `make fresh-machines` generates this page from the
records in `docs/fresh-machines/`.

"""
_NOTES = """
Times are minutes:seconds. *Installation* is the part of `make demo` before the first server starts: system packages,
Python packages, downloads. *Memory* is the peak of all processes together (PSS) during demo and tests. *Disk* is what
the demo added to the root filesystem, caches and data included.
"""
_COLUMNS = (
    *("system", "user", "Python", "Java", "base system", "installation", "demo", "audit", "tests"),
    *("memory", "disk", "result"),
)


def render(records: Sequence[Record]) -> str:
    """Return the page; records in any order."""
    ordered = sorted(records, key=lambda record: (list(SUITES).index(record.suite), record.user != "root"))
    packages = sorted({package for record in ordered for package in record.preinstalled})
    cores = sorted({str(record.cores) for record in ordered})
    introduction = _INTRODUCTION.format(packages=_listed(packages), cores=" or ".join(cores))
    rows = [_COLUMNS, ("---",) * len(_COLUMNS), *(_row(record) for record in ordered)]
    lines = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return introduction + lines + _NOTES + "".join(_details(record) for record in ordered)


def _row(record: Record) -> tuple[str, ...]:
    seconds = {step.name: step.seconds for step in record.steps}

    def took(step: str) -> str:
        return clock(seconds[step]) if step in seconds else "–"

    highest = max((step.memory_mib for step in record.steps), default=0)
    return (
        record.system or record.suite,
        _user(record),
        record.python or "–",
        record.java or "–",
        clock(record.base_seconds) if record.base_seconds else "–",
        took("installation"),
        took("demo"),
        took("audit"),
        took("make test"),
        _gib(highest),
        _gib(record.disk_mib),
        record.result.replace("|", "\\|"),
    )


def _details(record: Record) -> str:
    load = f", host's load average {record.load} at the end" if record.load else ""
    lines = [
        f"\n## {record.system or record.suite}, {_user(record)}\n",
        f"{record.date}, commit `{record.commit}`{load}.\n",
    ]
    if record.audit:
        lines.append(f"Audit: {record.audit.state}, {record.audit.produced:,} tweets.\n")
    if record.tests_args is None:
        lines.append("Tests were not run.\n")
    elif record.tests:
        what = f'make test ARGS="{record.tests_args}"' if record.tests_args else "make test"
        lines.append(f"`{what}`: {record.tests}.\n")
    if record.typed:
        lines.append("\nTyped into a root shell, as the project asked:\n\n```sh\n")
        lines += [f"{typed.line}  # {clock(typed.seconds)}\n" for typed in record.typed]
        lines.append("```\n")
    if record.output:
        lines += ["\nEnd of the failed step's output:\n\n```\n", *(f"{line}\n" for line in record.output), "```\n"]
    return "".join(lines)


def _user(record: Record) -> str:
    return "root" if record.user == "root" else "ordinary, without sudo"


def clock(seconds: int) -> str:
    return f"{seconds // 60}:{seconds % 60:02}"


def _gib(mib: int) -> str:
    return f"{mib / 1024:.1f} GiB" if mib else "–"


def _listed(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
