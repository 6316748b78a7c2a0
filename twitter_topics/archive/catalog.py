"""The archive's catalog without Spark: pyiceberg's, in SQLite or PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError

from twitter_topics.archive.schema import NAMESPACE
from twitter_topics.backends.database import catalog_url
from twitter_topics.errors import ConfigurationError, RetryableError

if TYPE_CHECKING:
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


def read_rows(
    archive: ArchiveSettings, s3: S3Settings, table: str, about: str, fields: tuple[str, ...] = ("*",)
) -> list[dict[str, Any]]:
    """Return rows of a table as dictionaries. A table that does not exist yet is an empty one.

    Args:
        about: pyiceberg's row filter.
        fields: columns to read.

    Raises:
        RetryableError: the bucket does not answer.
    """
    catalog = open_catalog(archive, s3)
    try:
        scan = catalog.load_table((NAMESPACE, table)).scan(row_filter=about, selected_fields=fields)
        found: list[dict[str, Any]] = scan.to_arrow().to_pylist()
    except NoSuchTableError:
        return []
    except OSError as error:
        raise RetryableError(f"the archive's bucket {s3.bucket} does not answer: {error}") from error
    return found


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
