"""argparse types: the job repeats the checks of the DAG's form."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from twitter_topics.archive.hours import parse_hour
from twitter_topics.topic_models.registry.version import check_version

_T = TypeVar("_T")


def whole_number(minimum: int, maximum: int) -> Callable[[str], int]:
    """Return an argparse type: an integer between two bounds, inclusive."""

    def parse(text: str) -> int:
        number = int(text)
        if not minimum <= number <= maximum:
            msg = f"{number} is not between {minimum} and {maximum}"
            raise argparse.ArgumentTypeError(msg)
        return number

    parse.__name__ = "whole number"  # argparse uses it in its message
    return parse


def hour(text: str) -> datetime:
    """argparse type: a UTC time on the hour, ISO 8601."""
    return _checked(parse_hour, text)


def version(text: str) -> str:
    """argparse type: the name of a model version."""
    return _checked(check_version, text)


def _checked(check: Callable[[str], _T], text: str) -> _T:
    try:
        return check(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
