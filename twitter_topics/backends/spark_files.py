"""Small text files wherever Spark keeps checkpoints: a folder, S3, HDFS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def exists(spark: SparkSession, path: str) -> bool:
    """Return whether there is a file or a folder."""
    files, jvm_path = _open(spark, path)
    return bool(files.exists(jvm_path))


def read_text(spark: SparkSession, path: str) -> str | None:
    """Return the text of a file; None if there is none.

    Raises:
        Py4JJavaError: it cannot be read; a local file that was cut off fails its checksum.
    """
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
        Py4JJavaError: it cannot be written.
    """
    files, jvm_path = _open(spark, path)
    stream = files.create(jvm_path, True)
    try:
        stream.write(text.encode())
    finally:
        stream.close()


def _open(spark: SparkSession, path: str) -> tuple[Any, Any]:
    jvm_path = spark._jvm.org.apache.hadoop.fs.Path(path)
    return jvm_path.getFileSystem(spark._jsc.hadoopConfiguration()), jvm_path
