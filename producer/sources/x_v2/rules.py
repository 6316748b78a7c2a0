"""Rules of the filtered stream, kept in a file.

The file is a YAML list; `tag` is optional and comes back with each post that the rule matched:

    - value: (football OR soccer) lang:en -is:retweet
      tag: football
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from producer.receiving.fields import as_count, as_object, as_text, objects
from producer.sources.x_v2.limits import MAX_RULE_CHARACTERS, MAX_RULES
from twitter_topics.backends.x_api import RULES, XApi
from twitter_topics.errors import ConfigurationError, RetryableError

AT_ONCE = 100
"""Rules per request; 100 requests in 15 minutes are allowed."""

MAX_PAGES = 100


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule; `rule_id` is X's own and ignored in comparisons."""

    value: str
    tag: str = ""
    rule_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes that make the account's rules match the file. A changed tag is a deletion and an addition."""

    add: tuple[Rule, ...]
    delete: tuple[Rule, ...]
    keep: tuple[Rule, ...]

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.add or self.delete)


def read_rules(path: Path) -> list[Rule]:
    """Return the rules in a file.

    Raises:
        ConfigurationError: it cannot be read, or X would reject it; the message names every invalid rule.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"X_RULES_FILE={path} cannot be read: {error}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigurationError(f"X_RULES_FILE={path} is not YAML: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(content, list) or not content:
        raise ConfigurationError(
            f"X_RULES_FILE={path} must be a list of rules, each with `value:` and optionally `tag:`"
        )
    rules: list[Rule] = []
    faults: list[str] = []
    for number, entry in enumerate(content, 1):
        rule = _rule(entry)
        if isinstance(rule, str):
            faults.append(f"rule {number}: {rule}")
        else:
            rules.append(rule)
    values = Counter(rule.value for rule in rules)
    faults += [f"listed {count} times: {value[:80]}" for value, count in values.items() if count > 1]
    if len(content) > MAX_RULES:
        faults.append(f"{len(content):,} rules, X allows {MAX_RULES:,}")
    if faults:
        raise ConfigurationError(f"X_RULES_FILE={path}:\n  " + "\n  ".join(faults))
    return rules


def plan(wanted: Sequence[Rule], remote: Sequence[Rule]) -> Plan:
    """Compare the rules of the file with those of the account."""
    wanted_set, remote_set = set(wanted), set(remote)
    return Plan(
        add=tuple(rule for rule in wanted if rule not in remote_set),
        delete=tuple(rule for rule in remote if rule not in wanted_set),
        keep=tuple(rule for rule in remote if rule in wanted_set),
    )


def fetch(api: XApi) -> list[Rule]:
    """Return the account's rules.

    Raises:
        ConfigurationError, RetryableError: see XApi.call.
    """
    found: list[Rule] = []
    params: dict[str, str] = {}
    for _ in range(MAX_PAGES):
        answer = api.call("GET", RULES, params)
        found += [
            Rule(as_text(one.get("value")).strip(), as_text(one.get("tag")), as_text(one.get("id")))
            for one in objects(answer.get("data"))
        ]
        token = as_text(as_object(answer.get("meta")).get("next_token"))
        if not token:
            break
        params = {"pagination_token": token}
    return found


def validate(api: XApi, todo: Plan) -> None:
    """Let X check the rules to add next to the existing ones, as far as they fit, without adding them.

    Raises:
        ConfigurationError: X rejects some; the message names each with X's reason.
        RetryableError: see XApi.call.
    """
    in_the_way = {rule.value for rule in todo.delete}
    new = [rule for rule in todo.add if rule.value not in in_the_way]
    room = MAX_RULES - len(todo.keep) - len(todo.delete)
    for some in _batches(new if room >= AT_ONCE else new[: max(0, room)]):
        _send(api, {"add": [_body(rule) for rule in some]}, dry_run=True)


def apply(api: XApi, todo: Plan, report: Callable[[str], object] = lambda _: None) -> None:
    """Carry out a validated plan.

    Rules are added before others are deleted, so that the stream is never without rules, except where X does not allow
    both at once: a rule whose tag changes, and rules beyond X's maximum. If interrupted, it can be repeated with a new
    plan.

    Args:
        report: called with a sentence after each step.

    Raises:
        ConfigurationError: X rejects a rule; the steps before it are done.
        RetryableError: see XApi.call; also when X did not delete all rules it should.
    """
    in_the_way = {rule.value for rule in todo.delete}
    room = max(0, MAX_RULES - len(todo.keep) - len(todo.delete))
    first = [rule for rule in todo.add if rule.value not in in_the_way][:room]
    early = set(first)
    after = [rule for rule in todo.add if rule not in early]
    for some in _batches(first):
        _send(api, {"add": [_body(rule) for rule in some]})
        report(f"added {len(some)}")
    for some in _batches(todo.delete):
        answer = _send(api, {"delete": {"ids": [rule.rule_id for rule in some]}})
        left = _count(answer, "not_deleted")
        if left:
            raise RetryableError(f"X did not delete {left} of {len(some)} rules; somebody else may have. Try again.")
        report(f"deleted {len(some)}")
    for some in _batches(after):
        _send(api, {"add": [_body(rule) for rule in some]})
        report(f"added {len(some)}")


def _rule(entry: Any) -> Rule | str:
    """Return the rule, or what is wrong with it."""
    if not isinstance(entry, dict) or not isinstance(entry.get("value"), str) or not entry["value"].strip():
        return "needs a value, as text"
    unknown = sorted(str(name) for name in entry if name not in ("value", "tag"))
    if unknown:
        return f"has {', '.join(unknown)}, but only value and tag are known"
    tag = entry.get("tag", "")
    if not isinstance(tag, str):
        return "has a tag that is not text: put it in quotes"
    value = entry["value"].strip()
    if len(value) > MAX_RULE_CHARACTERS:
        return f"has {len(value):,} characters, X allows {MAX_RULE_CHARACTERS:,}"
    return Rule(value, tag)


def _send(api: XApi, body: dict[str, Any], dry_run: bool = False) -> dict[str, Any]:
    answer = api.call("POST", RULES, {"dry_run": "true"} if dry_run else None, body)
    errors = objects(answer.get("errors"))
    faults = [one for one in errors if one.get("title") != "DuplicateRule"]  # the rule already exists, as wanted
    done = _count(answer, "created") + len(errors) - len(faults)
    if "add" in body and (faults or done < len(body["add"])):
        lines = [_fault_sentence(one) for one in faults] or ["X gives no reason"]
        raise ConfigurationError("X rejects rules:\n  " + "\n  ".join(lines))
    return answer


def _count(answer: dict[str, Any], name: str) -> int:
    """Return a number from the response's summary."""
    return as_count(as_object(as_object(answer.get("meta")).get("summary")).get(name))


def _fault_sentence(error: dict[str, Any]) -> str:
    """Return X's reason, with the rule."""
    details = error.get("details")
    said = "; ".join(map(str, details)) if isinstance(details, list) else error.get("detail") or error.get("title")
    value = error.get("value")
    return f"{str(value)[:120]!r}: {said}" if value else str(said)


def _body(rule: Rule) -> dict[str, str]:
    return {"value": rule.value} | ({"tag": rule.tag} if rule.tag else {})


def _batches(rules: Sequence[Rule]) -> Iterator[Sequence[Rule]]:
    for start in range(0, len(rules), AT_ONCE):
        yield rules[start : start + AT_ONCE]
