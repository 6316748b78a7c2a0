"""Arguments of the jobs: they repeat the checks of the DAG's form."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import NoReturn, TypeVar

from twitter_topics.archive.hours import parse_hour
from twitter_topics.errors import ConfigurationError
from twitter_topics.settings.values import topic_languages
from twitter_topics.topic_models.registry.version import check_version

_T = TypeVar("_T")


class Arguments(argparse.ArgumentParser):
    """A parser of a job's arguments, described by the job's docstring.

    Raises:
        ConfigurationError: from `parse_args`, naming the wrong or missing argument.
    """

    def __init__(self, description: str | None) -> None:
        super().__init__(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(message)


def whole_number(minimum: int, maximum: int) -> Callable[[str], int]:
    """Return an argparse type: an integer between two bounds, inclusive."""

    def parse(text: str) -> int:
        number = int(text.removesuffix(".0"))  # a form takes 3.0 for an integer
        if not minimum <= number <= maximum:
            msg = f"{number} is not between {minimum} and {maximum}"
            raise argparse.ArgumentTypeError(msg)
        return number

    parse.__name__ = "whole number"  # argparse uses it in its message
    return parse


def hour(text: str) -> datetime:
    """argparse type: a UTC time on the hour, ISO 8601."""
    return _checked(parse_hour, text)


def day(text: str) -> date:
    """An argparse type: a UTC day, ISO 8601."""
    return _checked(date.fromisoformat, text)


def moment(text: str) -> datetime:
    """An argparse type: a moment, ISO 8601; without an offset it is UTC."""
    return _checked(_in_utc, text)


def version(text: str) -> str:
    """argparse type: the name of a model version."""
    return _checked(check_version, text)


def languages(text: str) -> str:
    """argparse type: which languages have topics of their own, as TOPICS_LANGUAGES."""
    return _checked(topic_languages, text)


def _in_utc(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _checked(check: Callable[[str], _T], text: str) -> _T:
    try:
        return check(text)
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None
