"""pyiceberg's files on S3 with a CA file, for which pyiceberg has no property."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyarrow.fs import S3FileSystem
from pyiceberg.io.pyarrow import PyArrowFileIO

from twitter_topics.archive.catalog import CA_FILE
from twitter_topics.backends import tls
from twitter_topics.settings.values import TlsFiles

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


class TrustingFileIO(PyArrowFileIO):
    """Reads and writes as PyArrowFileIO does."""

    def _initialize_s3_fs(self, netloc: str | None) -> FileSystem:
        _, (options,) = super()._initialize_s3_fs(netloc).__reduce__()
        return S3FileSystem(**options | tls.arrow_s3(TlsFiles(self.properties[CA_FILE])))
