"""Write dashboards/ from the code in tools/dashboards. Twice the same input gives twice the same bytes."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.dashboards.files import FOLDER, generated


def main(folder: Path = FOLDER) -> int:
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
