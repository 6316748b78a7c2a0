"""The `.env` file of the project's folder as a source of settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_settings import BaseSettings, DotEnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from twitter_topics.errors import ConfigurationError
from twitter_topics.settings import paths

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

ENV_FILE_VARIABLE = "TWITTER_TOPICS_ENV_FILE"
"""Names another file than `.env` of the project's folder; empty = no file."""


def env_file() -> Path | None:
    """Return the file to read, None if there is none.

    Raises:
        ConfigurationError: it cannot be read, or the one named by TWITTER_TOPICS_ENV_FILE does not exist.
    """
    named = os.environ.get(ENV_FILE_VARIABLE)
    if named == "":
        return None
    file = Path(named).expanduser().absolute() if named else paths.PROJECT / ".env"
    try:
        file.read_text(encoding="utf-8")
    except FileNotFoundError:
        if named:
            raise ConfigurationError(f"{ENV_FILE_VARIABLE}={named} does not exist; correct or unset it") from None
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {file}: {error}; make it a readable UTF-8 file") from None
    return file


def prefix_of(section: type[BaseSettings]) -> str:
    """Return what the variables of a section begin with."""
    return section.model_config.get("env_prefix", "")


def variables(section: type[BaseSettings]) -> dict[str, str]:
    """Return the variables of a section, each with the name of its field."""
    return {f"{prefix_of(section)}{name}".upper(): name for name in section.model_fields}


def path_marker(field: FieldInfo) -> paths.IsPath | None:
    """Return how a setting is a path, None if it is not one."""
    if field.annotation is Path:
        return paths.IsPath()
    return next((one for one in field.metadata if isinstance(one, paths.IsPath)), None)


class _EnvFileSource(DotEnvSettingsSource):
    """Resolves relative paths from the file's folder, wherever the program runs."""

    def __call__(self) -> dict[str, Any]:
        values = super().__call__()
        if not isinstance(self.env_file, Path):
            return values
        for name, field in self.settings_cls.model_fields.items():
            marker = path_marker(field)
            if marker and isinstance(values.get(name), str):
                values[name] = paths.absolute(values[name], self.env_file.parent, marker)
        return values


def section_config(prefix: str) -> SettingsConfigDict:
    """Return the model_config of a section whose variables begin with the prefix."""
    return SettingsConfigDict(env_prefix=prefix, frozen=True, extra="ignore", env_ignore_empty=True)


class Section(BaseSettings):
    """Settings with one prefix. Arguments override the environment, which overrides `.env`, then files of secrets."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read `.env` with `_EnvFileSource`."""
        given = dotenv_settings.env_file if isinstance(dotenv_settings, DotEnvSettingsSource) else None
        file = _EnvFileSource(settings_cls, env_file=given, env_file_encoding="utf-8")
        return init_settings, env_settings, file, file_secret_settings
