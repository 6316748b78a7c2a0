"""Writes docs/settings.md and .env.example from the settings' own descriptions.

python -m twitter_topics.settings.reference
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import SecretStr

from twitter_topics.settings.env_file import path_marker, prefix_of, variables
from twitter_topics.settings.loading import Settings
from twitter_topics.settings.paths import PROJECT

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

PAGE = PROJECT / "docs" / "settings.md"
EXAMPLE = PROJECT / ".env.example"

_PAGE_HEAD = """\
# Settings
`make docs` writes this page from the descriptions in `twitter_topics/settings`.

Each setting is an environment variable. What the environment does not set comes from `.env` in the project's folder
([an example](../.env.example)), then from files of secrets (`TWITTER_TOPICS_SECRETS_DIR`), then from the defaults
below. `TWITTER_TOPICS_ENV_FILE` names another file instead of `.env`; if it is empty, no file is read.

A relative path starts at the current folder; in `.env`, or the file named instead, at that file's folder.
`LOCAL_STATE_DIR` starts at the project's folder, unless it comes from such a file.

A wrong setting stops the program that reads it with exit code 78 and names the variable; so does a name in the file
that looks like a setting and is none. `SPARK_CONF_DIR` and `AIRFLOW_CONN_*` are read from the environment only.
"""

_EXAMPLE_HEAD = """\
# All settings with their defaults. Copy to .env and change what you need; the environment overrides .env.
# The local stack supplies its own addresses, folders and passwords for anything not set.
# `make docs` writes this file; docs/settings.md has the values that are allowed.
"""


def page() -> str:
    """Return the text of docs/settings.md."""
    text = _PAGE_HEAD
    for section in Settings.sections().values():
        text += f"\n## `{prefix_of(section)}*`\n{inspect.getdoc(section)}\n\n"
        text += "| setting | default | values | |\n|---|---|---|---|\n"
        for variable, name in variables(section).items():
            field = section.model_fields[name]
            cells = (f"`{variable}`", _code(_default(field)), _values(field), field.description or "")
            text += "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
    return text


def example() -> str:
    """Return the text of .env.example."""
    text = _EXAMPLE_HEAD
    for section in Settings.sections().values():
        text += f"\n# --- {inspect.getdoc(section)}\n"
        for variable, name in variables(section).items():
            field = section.model_fields[name]
            text += f"# {field.description}\n#{variable}={_default(field)}\n"
    return text


def _default(field: FieldInfo) -> str:
    return str(field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default)


def _values(field: FieldInfo) -> str:
    """Return the allowed values in a few words."""
    if get_origin(field.annotation) is Literal:
        return ", ".join(_code(choice) for choice in get_args(field.annotation) if choice)
    if field.annotation is SecretStr:
        return "secret"
    if field.annotation is bool:
        return "`True`, `False`"
    if field.annotation in (int, float):
        return _range(field) or "number"
    return "path" if path_marker(field) else "text"


def _range(field: FieldInfo) -> str:
    bounds: dict[type, Any] = {type(one): one for one in field.metadata}
    least = bounds[Ge].ge if Ge in bounds else None
    most = bounds[Le].le if Le in bounds else None
    if Gt in bounds:
        return f"above {bounds[Gt].gt}" + (f", up to {most}" if most is not None else "")
    if least is not None and most is not None:
        return f"{least} to {most}"
    return f"from {least}" if least is not None else ""


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def main() -> None:
    """Write both files."""
    PAGE.write_text(page(), encoding="utf-8")
    EXAMPLE.write_text(example(), encoding="utf-8")


if __name__ == "__main__":
    main()
