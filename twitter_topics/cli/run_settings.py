"""Settings of one run of the stack: `--whole-history` and `--languages`."""

from __future__ import annotations

from twitter_topics.cli.screen import say
from twitter_topics.errors import ConfigurationError
from twitter_topics.settings import Settings


def run_settings(whole_history: bool, languages: str = "") -> Settings:
    """Return the settings of a run of the stack: those of the environment, and those that its options choose.

    With `whole_history`, no tweet of the replayed files is too old; `languages` are those of the synthetic source.

    Raises:
        ConfigurationError: PRODUCER_SOURCE is not the one of the option, a language is unknown, the replayed files
            cannot be read, or the streaming apps run already with other limits.
        RetryableError: the object store or the catalog does not answer.
    """
    from twitter_topics.local import followed
    from twitter_topics.local.layout import Layout

    settings = Settings({"PRODUCER_SYNTHETIC_LANGUAGES": languages} if languages else {})
    run = settings.overridden(followed.kept(Layout.of(settings.local), settings))
    if languages and "synthetic" not in run.producer.sources:
        raise ConfigurationError(
            f"--languages is about PRODUCER_SOURCE=synthetic; the posts of {run.producer.source} have their own"
        )
    if not whole_history:
        return settings
    if run.producer.sources != ("replay",):
        raise ConfigurationError("--whole-history is about PRODUCER_SOURCE=replay; a live source has no old tweets")
    _require_stopped(settings)
    days = _days(run)
    age = max(days, settings.speed.max_age_days)
    retention = max(days, settings.elasticsearch.retention_days)
    say(f"for this run SPEED_MAX_AGE_DAYS={age} and ELASTICSEARCH_RETENTION_DAYS={retention}")
    return Settings({"SPEED_MAX_AGE_DAYS": str(age), "ELASTICSEARCH_RETENTION_DAYS": str(retention)})


def _require_stopped(settings: Settings) -> None:
    from twitter_topics.local.stack import Stack

    if Stack(settings, say).supervisor.is_alive():
        raise ConfigurationError("--whole-history: the stack is running with its limits; stop it first (`make stop`)")


def _days(settings: Settings) -> int:
    """Return how many days the limits have to reach back from now."""
    from producer.source import Context
    from producer.sources.replay import ReplaySource
    from producer.sources.replay.ages import days_for

    context = Context()
    source = ReplaySource.open(settings, None, context)
    try:
        oldest_ms, now_ms = source.oldest_ms(), context.now_ms()
    finally:
        source.close()
    return 0 if oldest_ms is None else days_for(oldest_ms, now_ms)
