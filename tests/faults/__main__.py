"""Run the cases and write docs/faults.md.

make faults                                       everything
make faults ARGS='"classifier.*" "S3 *"'          some points and outages; the rows of the others stay
make faults ARGS='--seconds 20 --rate 200'        shorter outages
make faults ARGS=nothing                          only write the page
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.faults import page
from tests.faults.kit import Kit, Row, Twins, point_cases
from tests.faults.outages import OUTAGES
from tests.faults.stack import APPS, BrokenStack


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["*"], help="patterns of points, `point/way`, and outages")
    parser.add_argument("--seconds", type=float, default=180, help="length of an outage")
    parser.add_argument("--rate", type=int, default=500, help="tweets per second during an outage")
    parser.add_argument("--missing", action="store_true", help="only cases without a row that is ok")
    parser.add_argument("--folder", type=Path, help="for data and logs, kept; otherwise a temporary one")
    parser.add_argument("--list", action="store_true", help="only name the cases")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores SIGINT
        signal.signal(number, signal.default_int_handler)

    known = {(row["fault"], row["way"]) for row in page.measured() if row["ok"]} if options.missing else set()
    known |= {(fault, "") for fault, _ in known}

    def is_wanted(name: str, way: str = "") -> bool:
        return (name, way) not in known and any(
            fnmatch.fnmatch(name, one) or fnmatch.fnmatch(f"{name}/{way}", one) for one in options.names
        )

    points = [(point, way) for point, way in point_cases() if is_wanted(point.name, way)]
    outages = [outage for outage in OUTAGES if is_wanted(outage.name)]
    apps = sorted(set(APPS.values()))
    twins = [(app, one) for app in apps for one in Twins if is_wanted(f"two drivers of {app}", one)]
    if options.list:
        sys.stdout.write("".join(f"{point.name}/{way}\n" for point, way in points))
        sys.stdout.write("".join(f"two drivers of {app}/{one}\n" for app, one in twins))
        sys.stdout.write("".join(f"{outage.name}\n" for outage in outages))
        return 0
    about = {"commit": _commit(), "cores": os.cpu_count(), "rate": options.rate}
    bad = 0

    def keep(row: Row) -> None:
        nonlocal bad
        bad += not row.ok
        page.note(row, on=f"{datetime.now(UTC):%Y-%m-%d}", load=round(os.getloadavg()[0], 1), **about)

    if not (points or outages or twins):
        page.write()
        return 0
    with _folder(options.folder) as folder, BrokenStack(folder) as stack:
        kit = Kit(stack, lambda line: print(line, flush=True))  # noqa: T201 - a command's output
        try:
            kit.warm_up()
            for point, way in points:
                keep(kit.point(point, way))
            for app, one in twins:
                keep(kit.two_drivers(app, one))
            for outage in outages:
                if outage.needs_root and not stack.small_disk:
                    continue
                keep(kit.outage(outage, options.seconds, options.rate))
        finally:
            kit.close()
            page.write()
    return 1 if bad else 0


@contextmanager
def _folder(chosen: Path | None) -> Iterator[Path]:
    if chosen:
        chosen.mkdir(parents=True, exist_ok=True)
        yield chosen
    else:
        with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
