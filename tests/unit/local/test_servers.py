"""The servers' configuration files, in a folder with a non-ASCII name."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml

from twitter_topics.local import servers
from twitter_topics.local.layout import Layout
from twitter_topics.local.ports import Ports


@pytest.fixture
def data(tmp_path: Path) -> Path:
    layout = Layout(tmp_path / 'Über "tweets" 🐦')
    layout.make()
    servers.write_configuration(servers.filled_recipes(layout, Ports(0), {"S3_SECRET_ACCESS_KEY": "secret"}, "512m"))
    return layout.data


@pytest.mark.parametrize(
    ("file", "name", "folder"),
    [
        ("kafka/kafka.properties", "log.dirs", "kafka/kraft"),
        ("s3/s3proxy.conf", "jclouds.filesystem.basedir", "s3/buckets"),
    ],
)
def test_java_reads_the_folder_of_its_data(data: Path, file: str, name: str, folder: str) -> None:
    text = (data / file).read_bytes()
    assert text.isascii(), "Java takes the file for Latin-1"
    pairs = dict(line.split(b"=", 1) for line in text.splitlines() if b"=" in line)
    units = pairs[name.encode()].decode("unicode_escape")
    assert units.encode("utf-16", "surrogatepass").decode("utf-16") == str(data / folder)


def test_elasticsearch_and_influxdb_read_the_folder_of_their_data(data: Path) -> None:
    elasticsearch = yaml.safe_load((data / "elasticsearch" / "conf" / "elasticsearch.yml").read_text("utf-8"))
    assert elasticsearch["path.data"] == str(data / "elasticsearch" / "data")
    influxdb = tomllib.loads((data / "influxdb" / "influxdb.conf").read_text("utf-8"))
    assert influxdb["meta"]["dir"] == str(data / "influxdb" / "meta")
