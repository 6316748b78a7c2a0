"""The archive's catalog without Spark: pyiceberg's, in SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from sqlalchemy.exc import SQLAlchemyError

from twitter_topics.archive.schema import NAMESPACE
from twitter_topics.backends.database import catalog_url
from twitter_topics.errors import ConfigurationError, RetryableError

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from twitter_topics.settings import ArchiveSettings, S3Settings

CA_FILE = "s3.ca-file"
"""Our own property of pyiceberg's files, for `twitter_topics.archive.file_io`."""


def open_catalog(archive: ArchiveSettings, s3: S3Settings, *, warehouse: str = "") -> SqlCatalog:
    """Return the catalog of the settings. It creates no tables: Spark does, and a reader must not.

    Args:
        warehouse: where new tables are; the settings' folder in the bucket by default.

    Raises:
        ConfigurationError: ARCHIVE_CATALOG_URI is not supported.
    """
    uri = catalog_url(archive).render_as_string(hide_password=False)
    try:
        catalog = SqlCatalog(
            archive.catalog_name,
            uri=uri,
            warehouse=warehouse or f"s3://{s3.bucket}/{archive.warehouse_prefix}",
            init_catalog_tables="false",
            **s3_properties(s3),
        )
    except ModuleNotFoundError as error:
        msg = f"ARCHIVE_CATALOG_URI: reading {uri.partition(':')[0]} needs the Python package {error.name}"
        raise ConfigurationError(msg) from None
    # pyiceberg never closes its pool, and Python 3.13 warns of connections that nobody closed
    catalog.engine.dispose()
    catalog.engine = sa.create_engine(uri, poolclass=sa.NullPool)
    return catalog


class ArchiveTables:
    """The archive's tables at their newest metadata. One that does not exist yet reads as empty."""

    def __init__(self, archive: ArchiveSettings, s3: S3Settings) -> None:
        self._archive, self._s3 = archive, s3

    def table(self, name: str) -> Table | None:
        """Return a table; None if it does not exist yet.

        Raises:
            RetryableError: catalog or bucket does not answer.
        """
        if _has_no_file(self._archive.catalog_uri):  # opening it would create one
            return None
        try:
            with self.reading():
                return self._catalog.load_table((NAMESPACE, name))
        except NoSuchTableError:
            return None
        except SQLAlchemyError as error:
            if "no such table" in str(error) or "UndefinedTable" in str(error):
                return None
            reason = type(error).__name__  # the text may contain the URI with its password
            raise RetryableError(f"the archive's catalog does not answer ({reason}); see ARCHIVE_CATALOG_URI") from None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Wraps whatever reads the files of a table.

        Raises:
            RetryableError: the bucket does not answer.
        """
        try:
            yield
        except OSError as error:
            raise RetryableError(f"the archive's bucket {self._s3.bucket} does not answer: {error}") from error

    def rows(self, name: str, about: str, fields: tuple[str, ...] = ("*",)) -> list[dict[str, Any]]:
        """Return rows of a table as dictionaries.

        Args:
            about: pyiceberg's row filter.
            fields: columns to read.

        Raises:
            RetryableError: catalog or bucket does not answer.
        """
        table = self.table(name)
        if table is None:
            return []
        with self.reading():
            found: list[dict[str, Any]] = table.scan(row_filter=about, selected_fields=fields).to_arrow().to_pylist()
        return found

    @cached_property
    def _catalog(self) -> SqlCatalog:
        return open_catalog(self._archive, self._s3)


def _has_no_file(uri: str) -> bool:
    return uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///").partition("?")[0]).exists()


def s3_properties(s3: S3Settings) -> dict[str, str]:
    """Return pyiceberg's properties for the bucket. Without an access key the machine's role or profile is used."""
    properties = {
        "s3.endpoint": s3.endpoint_url,
        "s3.region": s3.region,
        "s3.access-key-id": s3.access_key_id,
        "s3.secret-access-key": s3.secret_access_key.get_secret_value(),
        "s3.connect-timeout": "5",
        "s3.request-timeout": "60",
        CA_FILE: s3.tls.ca,
        "py-io-impl": "twitter_topics.archive.file_io.TrustingFileIO" if s3.tls.ca else "",
    }
    return {name: value for name, value in properties.items() if value}
