"""Write dashboards/ and the tables of docs/dashboards.md from the code in tools/dashboards."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.dashboards.files import FOLDER, generated, read_dashboards, read_rules, read_saved_objects
from tools.dashboards.page import updated

PAGE = FOLDER.parent / "docs" / "dashboards.md"


def main(folder: Path = FOLDER, page: Path = PAGE) -> int:
    """Write every generated file; delete generated ones that are not generated any more."""
    files = generated()
    for pattern in ("grafana/dashboards/*.json", "kibana/*.ndjson"):
        for path in folder.glob(pattern):
            if str(path.relative_to(folder)) not in files:
                path.unlink()
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
        print(f"dashboards/{name}")
    text = updated(page.read_text("utf-8"), read_dashboards(folder), read_rules(folder), read_saved_objects(folder))
    page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
