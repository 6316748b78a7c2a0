"""docs/faults.md: a part about the networks, from tests.fault_table, and one about the speed layer, from the rows that
were measured and from nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.faults.outages import OUTAGES
from tests.faults.points import POINTS, Way

if TYPE_CHECKING:
    from tests.faults.kit import Row

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
MEASURED = Path(__file__).with_name("measured.json")
HEADING = "# What happens to the tweets when a part of the speed layer fails\n"

_TEXT = """
Each row is a run on real servers, written by `make faults`; a case without a row has not been measured. A *point* is a
place in a program: the kit kills the program there (kill -9), makes it raise an error that nobody expects, makes it
hang, or applies what it asked for and loses the reply. More tweets are sent while it is down or hangs. A query that
hangs is found after `SPEED_WEDGED_SECONDS`, here 60, a publication of the counts after two minutes. A job that hangs is
killed, and a failed one runs again, as Airflow does. An *outage* is a store that does not do its work for a while,
under load.

After each case the kit reads the stores: records in Kafka = rows of the archive, and distinct ids sent = distinct ids
in the archive = documents = tweets in the counts. A few tweets are sent twice and a few records are not tweets, so that
a loss cannot hide a double. InfluxDB must show the newest hour, and `twitter-topics audit` must agree. *Recovery* is
the time from the failure, or from the end of the outage, until all stores agree; it includes the apps' restart and the
intervals between batches.

Spark's Iceberg sink and Iceberg's rewrite run in a JVM, which has no failpoints: there the kit holds, rejects (400) or
cuts the request to S3 that follows the point, and where the client repeats the request, nothing stops. The catalog and
the counts of a local stack are SQLite files, which have no reply to lose; the failpoint after them raises the client's
error instead.

In *result*, `421 = 421` are records in Kafka and rows in the archive, `400 = 400 = 400 = 400` the ids sent, the ids in
the archive, the documents and the counted tweets. Measured {measured}, shared with other work.
"""


def measured() -> list[dict[str, Any]]:
    """Return all rows, in the order of the page."""
    rows = json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else []
    places = {name: at for at, name in enumerate([*(point.name for point in POINTS), *(one.name for one in OUTAGES)])}
    ways = {str(way): at for at, way in enumerate(Way)}
    return sorted(rows, key=lambda row: (places.get(row["fault"], len(places)), ways.get(row["way"], 0), row["fault"]))


def note(row: Row, **about: Any) -> None:
    """Keep a row, and forget an older one of the same case."""
    is_outage = row.fault in {outage.name for outage in OUTAGES}  # a longer one replaces a shorter one
    rows = [one for one in measured() if one["fault"] != row.fault or not (is_outage or one["way"] == row.way)]
    rows.append(asdict(row) | about)
    MEASURED.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def section(rows: list[dict[str, Any]]) -> str:
    """Return the speed layer's part in Markdown; nothing without rows."""
    if not rows:
        return ""
    means = {point.name: point.means for point in POINTS}
    points = [row for row in rows if row["fault"] in means]
    twins = [row for row in rows if row["fault"].startswith("two drivers")]
    outages = [row for row in rows if row["fault"] not in means and row not in twins]
    machine = sorted({f"{row['on']} on {row['cores']} cores" for row in rows})
    lines = [HEADING, _TEXT.format(measured=", ".join(machine))]
    if points:
        lines += ["\n## Points\n\n| point | action | what stopped | recovery | result |\n|---|---|---|---|---|\n"]
        lines += [_line(f"`{row['fault']}`: {means[row['fault']]}", row) for row in points]
    if twins:
        lines += ["\n## Two drivers\n\n| app | how | what stopped | recovery | result |\n|---|---|---|---|---|\n"]
        lines += [_line(row["fault"].removeprefix("two drivers of "), row) for row in twins]
    if outages:
        lines += ["\n## Outages\n\n| outage | for | what stopped | recovery | result |\n|---|---|---|---|---|\n"]
        lines += [_line(row["fault"], row) for row in outages]
    return "".join(lines)


def _line(name: str, row: dict[str, Any]) -> str:
    cells = (name, row["way"], row["stopped"], f"{row['seconds']:.0f} s", row["result"])
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def parts() -> tuple[str, str]:
    """Return the page's parts about the networks and about the speed layer."""
    networks, heading, speed = PAGE.read_text(encoding="utf-8").partition(HEADING)
    return networks.rstrip("\n") + "\n", heading + speed


def write(*, networks: str = "") -> None:
    """Write the speed layer's part anew; `networks` replaces the other one."""
    speed = section(measured())
    PAGE.write_text((networks or parts()[0]) + ("\n" + speed if speed else ""), encoding="utf-8")
