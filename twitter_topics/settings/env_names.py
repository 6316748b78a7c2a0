"""Names in `.env` that look like settings and are none: a misspelt one would leave the default in force, unnoticed."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from twitter_topics.settings.env_file import ENV_FILE_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Collection

_NAME = re.compile(r"^[ \t]*(?:export[ \t]+)?([A-Za-z]\w*)[ \t]*=", re.ASCII | re.MULTILINE)
_LIKE_A_SETTING = 0.91  # a letter too many, missing or exchanged in a name of ten
_A_GUESS = 0.6
_OF_OTHERS = ("AWS_", "ELASTICSEARCH_READ_")  # the AWS SDK's, and those of dashboards/compose.yaml
_ENVIRONMENT_ONLY = (ENV_FILE_VARIABLE, "SPARK_CONF_DIR")


def wrong_names(text: str, settings: Collection[str], prefixes: tuple[str, ...]) -> list[str]:
    """Return a line for each name that begins like a setting, or is almost one. Other programs may use all others.

    Args:
        text: the content of the file.
        prefixes: of the settings.
    """
    problems = []
    for found in _NAME.finditer(text):
        if problem := _problem(found[1].upper(), settings, prefixes):
            line = text.count("\n", 0, found.start(1)) + 1
            problems.append(f"line {line}: {problem}")
    return problems


def _problem(name: str, settings: Collection[str], prefixes: tuple[str, ...]) -> str:
    if name in _ENVIRONMENT_ONLY:
        return f"{name} is read from the environment only"
    if name in settings or name.startswith(_OF_OTHERS):
        return ""
    cutoff = _A_GUESS if name.startswith(prefixes) else _LIKE_A_SETTING
    nearest = get_close_matches(name, settings, n=1, cutoff=cutoff)
    if nearest:
        return f"{name} is no setting; did you mean {nearest[0]}?"
    return f"{name} is no setting" if name.startswith(prefixes) else ""
