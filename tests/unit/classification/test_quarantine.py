"""A tweet is set aside only after several attempts, and what a task says of it survives Spark's text."""

from __future__ import annotations

import pytest

from twitter_topics.backends.query_errors import ErrorText
from twitter_topics.classification.quarantine import TRIES, HandedBackError, Quarantine, suspects_in
from twitter_topics.search.faults import judge

REASON = 'HTTP 400: odd_exception: "quoted" ]] ; suspects: é\nsecond line'


def spark_text(suspects: dict[tuple[int, int], str]) -> str:
    """Return what Spark makes of a task's error."""
    error = HandedBackError("Elasticsearch at http://search did not index 2 of 9 tweets", suspects)
    return (
        f"Job aborted due to stage failure\nTraceback …\ntwitter_topics.…HandedBackError: {error}\n\n\tat java.base/…"
    )


def test_suspects_survive_the_text_of_an_error() -> None:
    suspects = {(0, 17): REASON, (3, 2**40): ""}
    assert suspects_in(spark_text(suspects)) == suspects
    assert suspects_in(spark_text({})) == {}


def test_the_health_of_the_classifier_names_what_helps() -> None:
    verdict = judge(400, {"type": "index_closed_exception", "reason": "closed"}, index="tweets-2026.11.18")
    error = HandedBackError(f"Elasticsearch at http://search did not index 9 of 9 tweets: {verdict}", {(0, 1): REASON})
    shown = ErrorText.of(
        RuntimeError(f"Job aborted\nTraceback …\n{type(error).__module__}.HandedBackError: {error}\n\tat")
    ).line
    assert shown.startswith("Elasticsearch at http://search did not index 9 of 9 tweets")
    assert "POST /tweets-2026.11.18/_open" in shown
    assert "suspects" not in shown


@pytest.mark.parametrize("text", ["", "; suspects: ", "; suspects: [[1]]", "; suspects: 5", "; suspects: [[0, 1"])
def test_a_text_that_was_cut_has_no_suspects(text: str) -> None:
    assert suspects_in(text) == {}


def test_a_record_is_set_aside_after_its_last_try() -> None:
    quarantine = Quarantine()
    for _ in range(TRIES - 1):
        quarantine.note_failure(spark_text({(0, 1): REASON}))
        quarantine.note_failure("Elasticsearch is unavailable")
    assert quarantine.records == {}
    quarantine.note_failure(spark_text({(0, 1): REASON, (0, 2): ""}))
    assert quarantine.records == {(0, 1): REASON}
    quarantine.note_success()
    assert quarantine.records == {}
