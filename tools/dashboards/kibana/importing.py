"""Import the saved objects into a Kibana: `make kibana-import URL=http://localhost:5601`.

The environment names a user (KIBANA_USERNAME and KIBANA_PASSWORD, or KIBANA_API_KEY) and a private certificate
authority (KIBANA_CA_FILE).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import requests

from tools.dashboards.files import FOLDER

WAIT_SECONDS = 120.0
_PAUSE_SECONDS = 2.0
_TIMEOUT_S = (5.0, 60.0)


class ImportFailed(Exception):  # noqa: N818 - what happened, as a sentence
    """Kibana does not answer, or rejected objects."""


def session(variables: Mapping[str, str]) -> requests.Session:
    """Return a session with the user and the certificate authority of the variables."""
    made = requests.Session()
    made.trust_env = False  # no credentials from .netrc, no proxy for a local address
    made.verify = variables.get("KIBANA_CA_FILE") or True
    made.headers["kbn-xsrf"] = "twitter-topics"
    if key := variables.get("KIBANA_API_KEY"):
        made.headers["Authorization"] = f"ApiKey {key}"
    elif user := variables.get("KIBANA_USERNAME"):
        made.auth = (user, variables.get("KIBANA_PASSWORD", ""))
    return made


def wait(
    client: requests.Session,
    url: str,
    seconds: float = WAIT_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Wait until Kibana is available; return its version.

    Raises:
        ImportFailed: it is not, or rejects the user.
    """
    until = clock() + seconds
    while True:
        problem = "no answer"
        try:
            answer = client.get(f"{url}/api/status", timeout=_TIMEOUT_S)
            if answer.status_code in (401, 403):
                raise ImportFailed(f"{url} rejected KIBANA_USERNAME/PASSWORD/API_KEY (HTTP {answer.status_code})")
            status = answer.json()
            problem = f"HTTP {answer.status_code}, {status['status']['overall']['level']}"
            if status["status"]["overall"]["level"] in ("available", "degraded"):
                return str(status["version"]["number"])
        except requests.RequestException as error:
            problem = type(error).__name__
        except (ValueError, KeyError, TypeError):
            problem = "its answer is not Kibana's"
        if clock() >= until:
            raise ImportFailed(f"{url} is not available after {seconds:.0f} s: {problem}")
        sleep(_PAUSE_SECONDS)


def import_file(client: requests.Session, url: str, path: Path) -> list[str]:
    """Import one file; objects with the same ids are overwritten. Returns what came in, as `type title`.

    Raises:
        ImportFailed: some objects were rejected.
    """
    files = {"file": (path.name, path.read_bytes(), "application/ndjson")}
    try:
        answer = client.post(
            f"{url}/api/saved_objects/_import", params={"overwrite": "true"}, files=files, timeout=_TIMEOUT_S
        )
        result = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise ImportFailed(f"{url} did not import {path.name}: {type(error).__name__}") from error
    if not result.get("success"):
        errors = [f"{one['type']} {one['id']}: {one['error']['type']}" for one in result.get("errors", [])]
        reason = "; ".join(errors) or result.get("message", f"HTTP {answer.status_code}")
        raise ImportFailed(f"{url} rejected {path.name}: {reason}")
    return [f"{one['type']} {one.get('meta', {}).get('title', one['id'])}" for one in result["successResults"]]


def main(arguments: list[str], variables: Mapping[str, str], folder: Path = FOLDER) -> int:
    """Import all files. Returns the exit code."""
    if len(arguments) != 1 or "://" not in arguments[0]:
        print("usage: make kibana-import URL=http://localhost:5601", file=sys.stderr)
        return 2
    url = arguments[0].rstrip("/")
    try:
        with session(variables) as client:
            print(f"Kibana {wait(client, url)} at {url}")
            for path in sorted(folder.glob("kibana/*.ndjson")):
                imported = import_file(client, url, path)
                print(f"{path.name}: {len(imported)} objects")
                for one in imported:
                    print(f"  {one}")
    except ImportFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
