from __future__ import annotations

from datetime import UTC, datetime

import pytest

from twitter_topics.topic_models.registry.version import check_version, created_at, is_version, version_name


def test_version_names_carry_their_time() -> None:
    at = datetime(2026, 11, 1, 12, 0, 5, tzinfo=UTC)
    name = version_name(at, "spark-lda")
    assert name == "20261101T120005Z-spark-lda"
    assert created_at(check_version(name)) == at
    assert is_version(name)
    assert not is_version("history")
    with pytest.raises(ValueError, match="zone"):
        version_name(datetime(2026, 11, 1), "gsdmm")  # noqa: DTZ001
