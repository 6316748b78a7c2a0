"""Rules of the filtered stream: the file, the difference, and applying it to an API that validates rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer.sources.x_v2.limits import MAX_RULE_CHARACTERS, MAX_RULES
from producer.sources.x_v2.rules import Plan, Rule, apply, fetch, plan, read_rules, validate
from tests.fakes.x_api import TOKEN, FakeX
from twitter_topics.backends.x_api import RULES, XApi
from twitter_topics.cli.sources_rules import rules as command
from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.settings import Settings

FILE = """
- value: (football OR soccer) lang:en -is:retweet
  tag: football
- value: '#ai'
"""


@pytest.fixture
def x() -> Iterator[FakeX]:
    with FakeX() as fake:
        yield fake


def settings_of(x: FakeX, **others: str) -> Settings:
    return Settings({"X_BEARER_TOKEN": TOKEN, "X_API_URL": x.url, **others})


def api_of(x: FakeX) -> XApi:
    return XApi(settings_of(x).x, lambda: 0)


def account(x: FakeX, *rules: tuple[str, str]) -> None:
    x.rules = {str(n): {"id": str(n), "value": value, "tag": tag} for n, (value, tag) in enumerate(rules, 1)}


def has(x: FakeX) -> set[tuple[str, str]]:
    return {(rule["value"], rule.get("tag", "")) for rule in x.rules.values()}


def carry_out(x: FakeX, wanted: list[Rule]) -> Plan:
    api = api_of(x)
    todo = plan(wanted, fetch(api))
    validate(api, todo)
    apply(api, todo)
    return todo


def posts(x: FakeX) -> list[tuple[str, bool]]:
    """Return what was sent to the rules endpoint: add or delete, and whether as a dry run."""
    asked = [request for request in x.asked(RULES) if request.method == "POST"]
    return [(next(iter(request.json)), "dry_run" in request.query) for request in asked]


# --- the file


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(FILE)
    assert read_rules(path) == [Rule("(football OR soccer) lang:en -is:retweet", "football"), Rule("#ai")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "must be a list of rules"),
        ("value: x", "must be a list of rules"),
        ("- [", "is not YAML"),
        ("- value: !!python/object/apply:os.system [true]", "is not YAML"),
        ("- value: 7", "rule 1: needs a value"),
        ("- value: ' '", "rule 1: needs a value"),
        ("- just text", "rule 1: needs a value"),
        ("- {value: a, tga: b}", "rule 1: has tga, but only value and tag"),
        ("- {value: a, tag: 7}", "rule 1: has a tag that is not text"),
        ("- value: a\n- value: b\n- value: ' a '", "listed 2 times: a"),
        (f"- value: {'x' * 1025}", "rule 1: has 1,025 characters, X allows 1,024"),
        ("\n".join(f"- value: v{n}" for n in range(1001)), "1,001 rules, X allows 1,000"),
    ],
)
def test_an_invalid_file_lists_its_faults(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        read_rules(path)
    assert said in str(caught.value)
    assert f"X_RULES_FILE={path}" in str(caught.value)


def test_the_longest_rule_and_the_most_rules(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(
        f"- value: {'x' * MAX_RULE_CHARACTERS}\n" + "".join(f"- value: v{n}\n" for n in range(MAX_RULES - 1))
    )
    assert len(read_rules(path)) == MAX_RULES


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_missing_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"X_RULES_FILE=.* cannot be read"):
        read_rules(tmp_path / name)


# --- the difference

RULES_SETS = st.lists(
    st.builds(Rule, st.sampled_from("abcdef"), st.sampled_from(["", "t", "u"])), unique_by=lambda rule: rule.value
)


@given(RULES_SETS, RULES_SETS)
def test_a_plan_makes_the_account_match_the_file(wanted: list[Rule], remote: list[Rule]) -> None:
    todo = plan(wanted, remote)
    assert set(remote) - set(todo.delete) | set(todo.add) == set(wanted)
    assert set(todo.keep) == set(remote) & set(wanted)
    assert bool(todo) == (set(wanted) != set(remote))


# --- carrying it out


def test_new_before_old_and_a_dry_run_before_both(x: FakeX) -> None:
    account(x, ("old", ""), ("stays", "t"))
    carry_out(x, [Rule("stays", "t"), Rule("new", "n")])
    assert has(x) == {("stays", "t"), ("new", "n")}
    assert posts(x) == [("add", True), ("add", False), ("delete", False)]


def test_applying_twice_changes_nothing(x: FakeX) -> None:
    carry_out(x, [Rule("a"), Rule("b", "t")])
    before = len(posts(x))
    assert not carry_out(x, [Rule("a"), Rule("b", "t")])
    assert len(posts(x)) == before


def test_a_changed_tag_is_a_new_rule(x: FakeX) -> None:
    account(x, ("a", "before"), ("b", "t"))
    carry_out(x, [Rule("a", "after"), Rule("b", "t")])
    assert has(x) == {("a", "after"), ("b", "t")}
    assert posts(x) == [("delete", False), ("add", False)], "X takes no second rule of the same value, nor a dry run"


def test_a_full_account_is_replaced(x: FakeX) -> None:
    account(x, *((f"old {n}", "") for n in range(MAX_RULES - 50)))
    carry_out(x, [Rule(f"new {n}") for n in range(MAX_RULES)])
    assert has(x) == {(f"new {n}", "") for n in range(MAX_RULES)}
    assert len(posts(x)) < 100, "X allows 100 of these in 15 minutes"


def test_x_rejects_a_rule_and_nothing_changes(x: FakeX) -> None:
    account(x, ("old", ""))
    with pytest.raises(ConfigurationError, match=r"'nonsense:x': Reference to invalid operator 'nonsense'"):
        carry_out(x, [Rule("good"), Rule("nonsense:x")])
    assert has(x) == {("old", "")}
    assert posts(x) == [("add", True)]


def test_rules_that_x_did_not_create_are_detected(x: FakeX, monkeypatch: pytest.MonkeyPatch) -> None:
    api = api_of(x)
    todo = plan([Rule("a")], fetch(api))
    monkeypatch.setattr(api, "call", lambda *_: {"meta": {"summary": {"created": 0}}})
    with pytest.raises(ConfigurationError, match="X gives no reason"):
        apply(api, todo)
    assert has(x) == {("made up", "made up")}, "nothing was deleted"


def test_somebody_else_has_added_the_same_rule(x: FakeX) -> None:
    api = api_of(x)
    todo = plan([Rule("a"), Rule("b")], fetch(api))
    account(x, ("made up", "made up"), ("a", ""))
    apply(api, todo)
    assert {"a", "b"} <= {value for value, _ in has(x)}


def test_somebody_else_has_deleted_the_rule(x: FakeX) -> None:
    api = api_of(x)
    todo = plan([Rule("a")], fetch(api))
    x.rules.clear()
    with pytest.raises(RetryableError, match="did not delete 1 of 1 rules"):
        apply(api, todo)
    assert has(x) == {("a", "")}, "a second attempt has nothing to do"


@settings(max_examples=25)
@given(RULES_SETS, RULES_SETS.filter(bool), st.integers(0, 3))
def test_interrupted_anywhere_and_repeated(remote: list[Rule], wanted: list[Rule], after: int) -> None:
    with FakeX() as x:
        account(x, *((rule.value, rule.tag) for rule in remote))
        api, done = api_of(x), 0
        todo = plan(wanted, fetch(api))

        def stop(_: str) -> None:
            nonlocal done
            done += 1
            if done > after:
                raise KeyboardInterrupt

        try:
            apply(api, todo, stop)
        except KeyboardInterrupt:
            carry_out(x, wanted)
        assert has(x) == {(rule.value, rule.tag) for rule in wanted}


def test_all_pages_are_read(x: FakeX, monkeypatch: pytest.MonkeyPatch) -> None:
    api = api_of(x)
    pages = {
        None: {"data": [{"id": "1", "value": "a"}], "meta": {"next_token": "second"}},
        "second": {"data": [{"id": "2", "value": "b", "tag": None}], "meta": {}},
    }
    monkeypatch.setattr(api, "call", lambda _method, _path, params: pages[params.get("pagination_token")])
    assert [(rule.value, rule.rule_id) for rule in fetch(api)] == [("a", "1"), ("b", "2")]


# --- the command


def test_the_command_shows_and_changes_nothing(x: FakeX, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(FILE)
    command(settings_of(x), path, apply=False)
    said = capsys.readouterr().out
    assert "+  #ai" in said
    assert "-  made up" in said
    assert "2 to add, 1 to delete, 0 unchanged" in said
    assert "use --apply" in said
    assert has(x) == {("made up", "made up")}


def test_the_command_applies(x: FakeX, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(FILE)
    command(settings_of(x, X_RULES_FILE=str(path)), None, apply=True)
    assert has(x) == {("(football OR soccer) lang:en -is:retweet", "football"), ("#ai", "")}
    assert "the account has the 2 rules" in capsys.readouterr().out
    command(settings_of(x, X_RULES_FILE=str(path)), None, apply=True)
    assert "already has the 2 rules" in capsys.readouterr().out


def test_the_command_needs_a_file(x: FakeX) -> None:
    with pytest.raises(ConfigurationError, match="X_RULES_FILE"):
        command(settings_of(x), None, apply=False)
