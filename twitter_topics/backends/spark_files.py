"""Small text files wherever Spark keeps checkpoints: a folder, S3, HDFS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JJavaError

from twitter_topics.errors import IntegrityError, RetryableError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_DAMAGED = ("org.apache.hadoop.fs.ChecksumException", "java.io.EOFException")
"""A local file that was cut off fails its checksum; one whose checksum file was cut off ends too early."""


def exists(spark: SparkSession, path: str) -> bool:
    """Return whether there is a file or a folder.

    Raises:
        RetryableError: the file system does not answer.
    """
    with _translated(path):
        files, jvm_path = _open(spark, path)
        return bool(files.exists(jvm_path))


def names(spark: SparkSession, folder: str) -> list[str]:
    """Return the names in a folder; empty if there is none.

    Raises:
        RetryableError: the file system does not answer.
    """
    with _translated(folder):
        files, jvm_path = _open(spark, folder)
        if not files.exists(jvm_path):
            return []
        return [str(one.getPath().getName()) for one in files.listStatus(jvm_path)]


def read_text(spark: SparkSession, path: str) -> str | None:
    """Return the text of a file; None if there is none.

    Raises:
        IntegrityError: the file was cut off.
        RetryableError: it cannot be read now.
    """
    with _translated(path):
        files, jvm_path = _open(spark, path)
        if not files.exists(jvm_path):
            return None
        stream = files.open(jvm_path)
        try:
            return str(spark._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
        finally:
            stream.close()


def write_text(spark: SparkSession, path: str, text: str) -> None:
    """Replace a file. Not atomic in a local folder: after a crash it may be cut off.

    Raises:
        RetryableError: it cannot be written now.
    """
    with _translated(path):
        files, jvm_path = _open(spark, path)
        stream = files.create(jvm_path, True)
        try:
            stream.write(text.encode())
        finally:
            stream.close()


def _open(spark: SparkSession, path: str) -> tuple[Any, Any]:
    jvm_path = spark._jvm.org.apache.hadoop.fs.Path(path)
    return jvm_path.getFileSystem(spark._jsc.hadoopConfiguration()), jvm_path


@contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except Py4JJavaError as error:
        cause = error.java_exception.toString()
        if cause.startswith(_DAMAGED):
            raise IntegrityError(f"{path} was cut off: {cause}") from error
        raise RetryableError(f"{path}: {cause}") from error
