"""SQL databases behind one setting: a SQLite file on one machine, PostgreSQL beyond it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from twitter_topics.backends import tls
from twitter_topics.backends.private_files import private_file
from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.settings.values import TlsFiles

if TYPE_CHECKING:
    from pydantic import SecretStr
    from sqlalchemy.engine import Connection, Engine

    from twitter_topics.settings import ArchiveSettings

_JDBC_NAMES = {"connect_timeout": "connectTimeout", "application_name": "ApplicationName"}
"""Parameters of an address that PostgreSQL's JDBC driver calls otherwise than libpq."""

NO_TLS_FILES = TlsFiles()
_CONNECT_SECONDS = 10
_DENIED = ("password authentication failed", "permission denied", "does not exist", "no password supplied")


def database_url(setting: str, uri: str, username: str, password: SecretStr, files: TlsFiles = NO_TLS_FILES) -> URL:
    """The address for SQLAlchemy, with user, password and files for TLS where the settings give them.

    Args:
        setting: name of the variable that holds `uri`, for messages.
        files: parameters in `uri`, such as sslmode, override theirs.

    Raises:
        ConfigurationError: `uri` cannot be parsed.
    """
    if uri.startswith("sqlite:///"):
        path = uri.removeprefix("sqlite:///").partition("?")[0]
        return make_url(f"sqlite:///{Path(path).expanduser().resolve()}")
    try:
        url = make_url(uri)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            f"{setting} is not a database address: use postgresql://HOST[:PORT]/DATABASE"
        ) from None
    if username:
        url = url.set(username=username, password=password.get_secret_value())
    return url.set(query=tls.postgresql(files) | url.query)


def catalog_url(archive: ArchiveSettings) -> URL:
    """The address of the archive's catalog, for pyiceberg and for Spark. Raises as `database_url`."""
    user, password = archive.catalog_username, archive.catalog_password
    return database_url("ARCHIVE_CATALOG_URI", archive.catalog_uri, user, password, archive.tls)


def jdbc_uri(url: URL) -> str:
    """Return the JDBC form of an address from `database_url`, without user and password."""
    if url.get_backend_name() == "sqlite":
        path = Path(url.database or "")
        with suppress(OSError):  # the catalog's user reports it, and nobody else stops because of it
            path.parent.mkdir(parents=True, exist_ok=True)
        return f"jdbc:sqlite:{path}?busy_timeout=10000&journal_mode=WAL"
    query = {_JDBC_NAMES.get(name, name): value for name, value in url.query.items()}
    if isinstance(key := query.get("sslkey"), str):
        query["sslkey"] = str(private_file("catalog-key.pk8", tls.jdbc_key(key)))
    host = f"[{url.host}]" if ":" in (url.host or "") else url.host
    address = f"jdbc:postgresql://{host}:{url.port or 5432}/{quote(url.database or '')}"
    return f"{address}?{urlencode(query, doseq=True)}" if query else address


class Database:
    """A SQL database.

    In SQLite a transaction holds the lock of the one writer from its begin to its commit; in PostgreSQL the caller
    locks a row first. A snapshot takes no lock, and sees one moment of the database.

    Args:
        setting: name of the variable that holds the address, for messages.
        url: as `database_url` gives it.
    """

    def __init__(self, setting: str, url: URL) -> None:
        self._setting = setting
        self.where = str(URL.create(url.drivername, host=url.host, port=url.port, database=url.database))
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._url = url
        self._engine: Engine | None = None

    def is_missing(self) -> bool:
        """Whether it is a SQLite file that does not exist: a transaction would make it."""
        return self.is_sqlite and not Path(self._url.database or "").exists()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction; rolled back when the block raises.

        Raises:
            ConfigurationError: the database rejects the user, or the file cannot be made.
            RetryableError: it does not answer or is locked.
        """
        try:
            with self._open().begin() as connection:
                yield connection
        except DBAPIError as error:
            raise self._translated(error) from error

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """One moment of the database, for reading; writers go on meanwhile. Raises as `transaction`."""
        options = {"snapshot": True} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        try:
            with self._open().connect().execution_options(**options) as connection, connection.begin():
                yield connection
        except DBAPIError as error:
            raise self._translated(error) from error

    def close(self) -> None:
        """Close all connections. The next transaction opens new ones."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _open(self) -> Engine:
        if self._engine is None:
            self._engine = self._sqlite() if self.is_sqlite else self._postgresql()
        return self._engine

    def _sqlite(self) -> Engine:
        path = Path(self._url.database or "")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"{self._setting}: {path.parent} cannot be made: {error.strerror}") from error
        # opening a file is cheap, and a connection that is kept is one to forget
        engine = create_engine(self._url, connect_args={"timeout": _CONNECT_SECONDS}, poolclass=NullPool)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _postgresql(self) -> Engine:
        options = {"connect_timeout": _CONNECT_SECONDS, "application_name": "twitter-topics"}
        return create_engine(self._url, connect_args=options, pool_pre_ping=True)

    def _translated(self, error: DBAPIError) -> Exception:
        reason = " ".join(str(error.orig).split())[:300]
        if any(word in reason for word in _DENIED) and not self.is_sqlite:
            return ConfigurationError(f"{self._setting} ({self.where}): {reason}")
        if any(word in reason for word in ("unable to open database", "readonly database", "not a database")):
            return ConfigurationError(f"{self._setting} ({self.where}) cannot be used: {reason}")
        return RetryableError(f"{self.where} did not answer: {reason}")


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours: sqlite3 would begin late, with a reader's lock
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")  # a commit survives a power cut


def _begin_sqlite(connection: Connection) -> None:
    reads_only = connection.get_execution_options().get("snapshot")
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")
