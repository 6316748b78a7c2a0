"""The registry of sources and the modules behind it."""

from __future__ import annotations

from pkgutil import iter_modules

import pytest
from pydantic import SecretStr

from producer import sources
from producer.source import Source
from producer.sources import source_class
from twitter_topics.errors import ConfigurationError
from twitter_topics.settings import Settings
from twitter_topics.sources import SOURCES

INTERFACE = {name for name in vars(Source) if not name.startswith("_")} - {"start"}


def test_each_module_is_a_registered_source_and_the_other_way_round() -> None:
    assert {module.name for module in iter_modules(sources.__path__)} == set(SOURCES)
    assert all(name == source.name for name, source in SOURCES.items())


@pytest.mark.parametrize("name", SOURCES)
def test_each_module_exports_a_source(name: str) -> None:
    found = source_class(name)
    assert vars(found).keys() >= INTERFACE | {"name", "live", "open"}
    assert found.live is (name not in ("synthetic", "replay"))


@pytest.mark.parametrize("name", SOURCES)
def test_what_a_source_needs_is_a_setting_that_is_empty_by_default_and_reaches_its_producer(name: str) -> None:
    source, settings = SOURCES[name], Settings({})
    for variable in source.needs:
        section, _, field = variable.lower().partition("_")
        value = getattr(getattr(settings, section), field)
        assert (value.get_secret_value() if isinstance(value, SecretStr) else value) == ""
        assert variable.startswith(("PRODUCER_", *source.settings))


def test_the_settings_accept_registered_sources_only() -> None:
    assert Settings({"PRODUCER_SOURCE": ",".join(SOURCES)}).producer.sources == tuple(SOURCES)
    with pytest.raises(ConfigurationError, match=f"PRODUCER_SOURCE.*{', '.join(SOURCES)}"):
        _ = Settings({"PRODUCER_SOURCE": "telepathy"}).producer
