"""`--whole-history`: settings under which no tweet of the replayed files is too old."""

from __future__ import annotations

from twitter_topics.cli.screen import say
from twitter_topics.errors import ConfigurationError
from twitter_topics.settings import Settings

_DAY_MS = 86_400_000
_SPARE_DAYS = 2
"""Retention counts whole UTC days, and the replay takes a while."""


def run_settings(whole_history: bool) -> Settings:
    """Return the settings of a run of the stack: those of the environment, and with `whole_history` raised limits.

    Raises:
        ConfigurationError: PRODUCER_SOURCE is not replay, its files cannot be read, or the streaming apps run already.
        RetryableError: the object store or the catalog does not answer.
    """
    settings = Settings()
    if not whole_history:
        return settings
    if settings.producer.sources != ("replay",):
        raise ConfigurationError("--whole-history is about PRODUCER_SOURCE=replay; a live source has no old tweets")
    _require_stopped(settings)
    oldest_ms, now_ms = _oldest(settings)
    days = 0 if oldest_ms is None else max(0, now_ms - oldest_ms) // _DAY_MS + _SPARE_DAYS
    age = max(days, settings.speed.max_age_days)
    retention = max(days, settings.elasticsearch.retention_days)
    say(f"for this run SPEED_MAX_AGE_DAYS={age} and ELASTICSEARCH_RETENTION_DAYS={retention}")
    return Settings({"SPEED_MAX_AGE_DAYS": str(age), "ELASTICSEARCH_RETENTION_DAYS": str(retention)})


def _require_stopped(settings: Settings) -> None:
    from twitter_topics.local.stack import Stack

    if Stack(settings, say).supervisor.is_alive():
        raise ConfigurationError("--whole-history: the stack is running with its limits; stop it first (`make stop`)")


def _oldest(settings: Settings) -> tuple[int | None, int]:
    """Return the time of the oldest tweet as it will be sent, and now, in Unix milliseconds."""
    from producer.source import Context
    from producer.sources.replay import ReplaySource

    context = Context()
    source = ReplaySource.open(settings, None, context)
    try:
        return source.oldest_ms(), context.now_ms()
    finally:
        source.close()
