"""What the results depend on: the machine, the versions, and the other client."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from twitter_topics.local.layout import JARS


def machine() -> dict[str, Any]:
    """Describe the machine, without its name."""
    described = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [line.split(":", 1)[1].strip() for line in described.splitlines() if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
    }


def versions(confluent: str | None) -> dict[str, str]:
    """Return the versions of the interpreter, the broker and the clients."""
    (broker,) = (JARS / "kafka").glob("kafka-server-[0-9]*.jar")
    found = {
        "Python": platform.python_version(),
        "Kafka": broker.stem.removeprefix("kafka-server-"),
        "kafka-python": metadata.version("kafka-python"),
    }
    if confluent:
        ask = "from importlib import metadata; print(metadata.version('confluent-kafka'))"
        found["confluent-kafka"] = subprocess.check_output([confluent, "-c", ask], text=True).strip()
    return found


def measured(result: dict[str, Any]) -> str:
    """Return when, where and with what something was measured, as a sentence."""
    machine = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(result["versions"].items()))
    return (
        f"Measured on {result['measured_on']}: {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gib']:.0f} GiB of memory, {machine['system']}; {versions}."
    )


def python_with_confluent(folder: Path) -> str | None:
    """Return the Python of a temporary environment with confluent-kafka; None if it cannot be installed."""
    environment = folder / "venv"
    made = subprocess.run([sys.executable, "-m", "venv", str(environment)], capture_output=True)
    python = str(environment / "bin" / "python")
    if made.returncode == 0:
        wanted = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "confluent-kafka"]
        made = subprocess.run([python, *wanted], capture_output=True)
    return python if made.returncode == 0 else None
