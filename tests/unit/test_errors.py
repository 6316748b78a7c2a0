"""Every exception class of the project is in the tree of errors.py."""

from __future__ import annotations

import ast
import builtins
from functools import cache
from pathlib import Path

from twitter_topics import errors

ROOT = Path(__file__).resolve().parents[2]
BUILT_IN = {name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, Exception)}


@cache
def exception_classes() -> dict[str, set[str]]:
    """Names of the exception classes, each with the names of its bases."""
    files = [path for folder in ("twitter_topics", "producer", "spark_apps") for path in (ROOT / folder).rglob("*.py")]
    classes = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for path in files
        if path.parent.name != "testing"  # its exceptions simulate events in tests
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    }
    known = BUILT_IN
    while more := {name for name, bases in classes.items() if bases & known} - known:
        known = known | more
    return {name: bases for name, bases in classes.items() if name in known}


def test_the_tree_has_one_root() -> None:
    foreign = {name: bases & BUILT_IN for name, bases in exception_classes().items() if bases & BUILT_IN}
    assert foreign == {"TwitterTopicsError": {"Exception"}}


def test_the_drawing_names_every_class() -> None:
    drawn = (errors.__doc__ or "").replace("─", " ").split()
    assert [name for name in exception_classes() if name not in drawn] == []
