"""Check Airflow's configuration and create its database, users, roles and pool.

One interpreter does it all, because importing Airflow takes seconds. Reads {"admin": password, "viewer": password} as
JSON from standard input, not from arguments or the environment. Every step can be repeated. Exits with 78 when the
configuration is wrong.
"""

from __future__ import annotations

import configparser
import json
import os
import sys
from pathlib import Path

EXIT_CONFIGURATION = 78
ROLES = {"admin": "Admin", "viewer": "Viewer"}


def unknown_options(path: Path) -> list[str]:
    """Return the options of a configuration file that this Airflow and its providers do not know."""
    from airflow.configuration import conf
    from airflow.utils.providers_configuration_loader import providers_configuration_loaded

    @providers_configuration_loaded
    def known() -> dict[str, set[str]]:
        return {name: set(section["options"]) for name, section in conf.configuration_description.items()}

    described = known()
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(path)
    return [
        f"[{section}] {option}"
        for section in parser.sections()
        for option in parser.options(section)
        if option not in described.get(section, set())
    ]


def migrate() -> None:
    """Create or upgrade the database."""
    _command("db", "migrate")


def make_users(passwords: dict[str, str]) -> None:
    """Create one user per role; reset the password of an existing user to the one in the stack's secrets."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        manager = builder.sm
        for name, role in ROLES.items():
            if user := manager.find_user(username=name):
                manager.reset_password(user.id, passwords[name])
            elif not manager.add_user(
                name, name.title(), "Local", f"{name}@localhost", manager.find_role(role), passwords[name]
            ):
                raise RuntimeError(f"Airflow did not create the user {name}")


def open_plugins_to_readers() -> None:
    """Grant the permission without which only Op and Admin see the project's page."""
    for role in ("Viewer", "User"):
        _command("roles", "add-perms", role, "-r", "Plugins", "-a", "can_read")


def make_pool() -> None:
    """Limit Spark jobs to one at a time: each has its own JVM."""
    from airflow.models.pool import Pool

    Pool.create_or_update_pool(name="spark", slots=1, description="Spark jobs", include_deferred=False)


def _command(*arguments: str) -> None:
    from airflow.cli import cli_parser

    parsed = cli_parser.get_parser().parse_args(list(arguments))
    parsed.func(parsed)


def main() -> int:
    """Check first: a wrong file must not change the database."""
    passwords = json.load(sys.stdin)
    if unknown := unknown_options(Path(os.environ["AIRFLOW_HOME"]) / "airflow.cfg"):
        sys.stderr.write(f"airflow.cfg.template: Airflow does not know {', '.join(unknown)}\n")
        return EXIT_CONFIGURATION
    migrate()
    make_users(passwords)
    open_plugins_to_readers()
    make_pool()
    return 0


if __name__ == "__main__":
    sys.exit(main())
