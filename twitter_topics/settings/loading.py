"""Reads each section of the settings on first use."""

from __future__ import annotations

import os
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsError

from twitter_topics.errors import ConfigurationError
from twitter_topics.settings.analysis import ModelsSettings, SentimentSettings, TopicsSettings
from twitter_topics.settings.env_file import env_file, prefix_of, variables
from twitter_topics.settings.env_names import wrong_names
from twitter_topics.settings.networks import BlueskySettings, MastodonSettings, TwitterSettings, XSettings
from twitter_topics.settings.sections import (
    ArchiveSettings,
    CountsSettings,
    ElasticsearchSettings,
    InfluxSettings,
    KafkaSettings,
    LocalSettings,
    LogSettings,
    ProducerSettings,
    S3Settings,
    SecretsSettings,
    SparkSettings,
    SpeedSettings,
)
from twitter_topics.settings.values import masked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_Section = TypeVar("_Section", bound=BaseSettings)


def _read(section: type[_Section], given: Mapping[str, str]) -> _Section:
    secrets_dir = "" if section is SecretsSettings else _read(SecretsSettings, given).secrets_dir
    if file := env_file():
        _check_names(file, file.read_text(encoding="utf-8"))
    values: dict[str, Any] = {name: given[key] for key, name in variables(section).items() if key in given}
    try:
        if secrets_dir and not Path(secrets_dir).expanduser().is_dir():
            raise NotADirectoryError(f"{secrets_dir} is not a folder")
        return section(**values, _env_file=file, _secrets_dir=secrets_dir or None)
    except (OSError, UnicodeDecodeError, SettingsError) as error:
        msg = f"wrong TWITTER_TOPICS_SECRETS_DIR: {error}; give a folder of readable files, or leave it empty"
        raise ConfigurationError(msg) from None
    except ValidationError as error:
        lines = [
            f"{prefix_of(section)}{'_'.join(str(part) for part in e['loc'])}".upper()
            + f": {e['msg']} (got {_shown(e)})"
            for e in error.errors()
        ]
        msg = (
            "wrong setting\n  "
            + "\n  ".join(lines)
            + "\n  Correct it in the environment or in .env; docs/settings.md describes all settings."
        )
        raise ConfigurationError(msg) from None


@lru_cache(maxsize=1)
def _check_names(file: Path, text: str) -> None:
    sections = Settings.sections().values()
    settings = {name for section in sections for name in variables(section)}
    if wrong := wrong_names(text, settings, tuple(map(prefix_of, sections))):
        lines = "\n  ".join(wrong)
        raise ConfigurationError(f"wrong name in {file}\n  {lines}\n  docs/settings.md describes all settings.")


def _shown(error: Any) -> str:
    secret = any(word in str(error["loc"]).lower() for word in ("password", "secret", "key", "token", "_uri"))
    return "a hidden value" if secret else masked(repr(error.get("input")))


class _SectionAttribute(cached_property[_Section]):
    """A section as an attribute of Settings, read on first use."""

    def __init__(self, section: type[_Section]) -> None:
        super().__init__(lambda settings: _read(section, settings._given))
        self.section = section


class Settings:
    """All sections, each read on first use.

    Args:
        given: variables that override the environment, by their full names (`KAFKA_BOOTSTRAP_SERVERS`).

    Raises:
        ConfigurationError: on first use of a section with a wrong value; the message names the variable and the fix.
    """

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self._given = given or {}

    def overridden(self, variables: Mapping[str, str]) -> Settings:
        """Return settings in which these variables override all others."""
        return Settings({**self._given, **variables})

    secrets = _SectionAttribute(SecretsSettings)
    log = _SectionAttribute(LogSettings)
    kafka = _SectionAttribute(KafkaSettings)
    s3 = _SectionAttribute(S3Settings)
    archive = _SectionAttribute(ArchiveSettings)
    elasticsearch = _SectionAttribute(ElasticsearchSettings)
    counts = _SectionAttribute(CountsSettings)
    influx = _SectionAttribute(InfluxSettings)
    producer = _SectionAttribute(ProducerSettings)
    twitter = _SectionAttribute(TwitterSettings)
    x = _SectionAttribute(XSettings)
    bluesky = _SectionAttribute(BlueskySettings)
    mastodon = _SectionAttribute(MastodonSettings)
    sentiment = _SectionAttribute(SentimentSettings)
    speed = _SectionAttribute(SpeedSettings)
    topics = _SectionAttribute(TopicsSettings)
    models = _SectionAttribute(ModelsSettings)
    spark = _SectionAttribute(SparkSettings)
    local = _SectionAttribute(LocalSettings)

    @classmethod
    def sections(cls) -> dict[str, type[BaseSettings]]:
        """Return the sections by attribute, in the order of the documentation."""
        return {name: one.section for name, one in vars(cls).items() if isinstance(one, _SectionAttribute)}


def inherited(names: Iterable[str], prefixes: Iterable[str] = ()) -> dict[str, str]:
    """Return the variables of the environment that a child process may see, by name and by prefix."""
    chosen, starts = set(names), tuple(prefixes)
    return {name: value for name, value in os.environ.items() if name in chosen or name.startswith(starts)}


def provide_defaults(values: Mapping[str, str]) -> None:
    """Set defaults for this process and its children; what the environment has takes precedence, unless it is empty."""
    for name, value in values.items():
        os.environ[name] = os.environ.get(name) or value
