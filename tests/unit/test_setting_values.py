"""Settings of connections: what is rejected at start, and what messages show of an address."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from tests.certificates import Authority
from twitter_topics.backends.database import Database, catalog_url, database_url, jdbc_uri
from twitter_topics.errors import ConfigurationError
from twitter_topics.settings import Settings, masked

SASL = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SASL_USERNAME": "me"}
HTTPS = {
    "elasticsearch": {"ELASTICSEARCH_URL": "https://search.example.org"},
    "influx": {"INFLUXDB_URL": "https://series.example.org"},
    "s3": {"S3_ENDPOINT_URL": "https://s3.example.org"},
    "kafka": {"KAFKA_SECURITY_PROTOCOL": "SSL"},
    "archive": {"ARCHIVE_CATALOG_URI": "postgresql://db/catalog"},
    "counts": {"COUNTS_DATABASE_URI": "postgresql://db/counts"},
}
PREFIXES = {
    "elasticsearch": "ELASTICSEARCH_",
    "influx": "INFLUXDB_",
    "s3": "S3_",
    "kafka": "KAFKA_",
    "archive": "ARCHIVE_CATALOG_",
    "counts": "COUNTS_DATABASE_",
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(Path(tmp_path_factory.mktemp("ca")))


def wrong(section: str, **variables: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        getattr(Settings(variables), section)
    return str(caught.value)


def test_sasl_needs_a_mechanism_and_a_user() -> None:
    assert Settings(SASL).kafka.sasl_mechanism == "PLAIN"
    for protocol in ("SASL_SSL", "SASL_PLAINTEXT"):
        for missing in ("KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME"):
            message = wrong("kafka", **SASL | {"KAFKA_SECURITY_PROTOCOL": protocol, missing: ""})
            assert f"{missing}: Value error, needed with KAFKA_SECURITY_PROTOCOL={protocol}" in message


@pytest.mark.parametrize("section", PREFIXES)
def test_files_for_tls(authority: Authority, tmp_path: Path, section: str) -> None:
    prefix, secure = PREFIXES[section], HTTPS[section]
    ca = {f"{prefix}CA_FILE": str(authority.file)}
    assert getattr(Settings(secure | ca), section).tls.ca == str(authority.file)
    assert f"{prefix}CA_FILE: Value error, used only with" in wrong(section, **ca), "the default has no TLS"
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    for path in (text, tmp_path / "missing.pem"):
        message = wrong(section, **secure, **{f"{prefix}CA_FILE": str(path)})
        assert f"{prefix}CA_FILE: Value error, {path} is not a readable PEM file of certificates" in message


@pytest.mark.parametrize("section", [name for name in PREFIXES if name != "s3"])
def test_a_certificate_and_its_key(authority: Authority, section: str) -> None:
    prefix, secure = PREFIXES[section], HTTPS[section]
    one, other = authority.issue("one"), authority.issue("other")
    files = {f"{prefix}CLIENT_CERTIFICATE_FILE": str(one.certificate), f"{prefix}CLIENT_KEY_FILE": str(one.key)}
    found = getattr(Settings(secure | files), section).tls
    assert (found.certificate, found.key) == (str(one.certificate), str(one.key))
    both = {f"{prefix}CLIENT_CERTIFICATE_FILE": str(one.both)}
    assert getattr(Settings(secure | both), section).tls.key == str(one.both)
    for broken in (
        files | {f"{prefix}CLIENT_KEY_FILE": str(other.key)},
        files | {f"{prefix}CLIENT_KEY_FILE": ""},
        files | {f"{prefix}CLIENT_CERTIFICATE_FILE": ""},
    ):
        assert f"{prefix}CLIENT_CERTIFICATE_FILE: " in wrong(section, **secure, **broken)


@pytest.mark.parametrize(
    ("variable", "section"),
    [
        ("ELASTICSEARCH_URL", "elasticsearch"),
        ("INFLUXDB_URL", "influx"),
        ("S3_ENDPOINT_URL", "s3"),
        ("X_API_URL", "x"),
        ("MASTODON_URL", "mastodon"),
        ("TWITTER_STREAM_URL", "twitter"),
        ("TWITTER_API_URL", "twitter"),
    ],
)
@pytest.mark.parametrize("address", ["https://me:canary@example.org/x", "https://example.org/?token=canary"])
def test_a_url_with_credentials_is_rejected_and_its_credentials_are_not_shown(
    variable: str, section: str, address: str
) -> None:
    message = wrong(section, **{variable: address})
    assert f"{variable}: " in message
    assert "must not contain credentials" in message
    assert "canary" not in message
    assert "example.org" in message


@pytest.mark.parametrize(
    ("variable", "section", "address"),
    [
        ("BLUESKY_HOSTS", "bluesky", "wss://me:canary@example.org"),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka", "sasl://me:canary@broker:9092"),
        ("INFLUXDB_URL", "influx", "influxdb://me:canary@example.org"),
    ],
)
def test_a_malformed_address_does_not_show_its_credentials(variable: str, section: str, address: str) -> None:
    message = wrong(section, **{variable: address})
    assert f"{variable}: " in message
    assert "canary" not in message


def test_masked() -> None:
    assert masked("a postgresql://me:p@ss/w@db/x?sslmode=require b") == "a postgresql://***@db/x?sslmode=require b"
    assert masked("https://h/x?a=1&sslpassword=p&api_key=q&b=2") == "https://h/x?a=1&sslpassword=***&api_key=***&b=2"
    assert masked("http://127.0.0.1:9/x") == "http://127.0.0.1:9/x"


@pytest.mark.parametrize("setting", ["ARCHIVE_CATALOG_URI", "COUNTS_DATABASE_URI"])
@pytest.mark.parametrize(
    "uri",
    [
        "sqlite:///https://me:canary@host/x",
        "postgres://me:canary@host/x",
        "me:canary@host/x",
        "postgresql://me:canary@h:x",
    ],
)
def test_a_wrong_database_address_does_not_show_its_credentials(setting: str, uri: str) -> None:
    def address() -> URL:
        settings = Settings({setting: uri})
        text = settings.archive.catalog_uri if setting.startswith("ARCHIVE") else settings.counts.database_uri
        return database_url(setting, text, "", settings.counts.database_password)

    with pytest.raises(ConfigurationError) as caught:
        address()
    assert setting in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "section", "value", "problem"),
    [
        ("ARCHIVE_CATALOG_URI", "archive", "mysql://u:canary@h/d", "mysql:// is not supported; use sqlite:///PATH or"),
        ("COUNTS_DATABASE_URI", "counts", "postgres://u:canary@h/d", "postgres:// is not supported; use sqlite:///P"),
        ("ARCHIVE_CATALOG_NAME", "archive", "lake-2", "String should match pattern"),
        ("ARCHIVE_CATALOG_NAME", "archive", "a.b", "String should match pattern"),
        ("ARCHIVE_CATALOG_NAME", "archive", "2lake", "String should match pattern"),
        ("ELASTICSEARCH_INDEX_PREFIX", "elasticsearch", "Tweets", "String should match pattern"),
        ("ELASTICSEARCH_INDEX_PREFIX", "elasticsearch", "_tweets", "String should match pattern"),
        ("ELASTICSEARCH_INDEX_PREFIX", "elasticsearch", "t" * 201, "String should have at most"),
        ("KAFKA_RAW_TOPIC", "kafka", "t" * 250, "String should have at most"),
    ],
)
def test_what_a_store_would_not_take_is_rejected_at_start(
    variable: str, section: str, value: str, problem: str
) -> None:
    message = wrong(section, **{variable: value})
    assert f"{variable}: " in message
    assert problem in message
    assert "canary" not in message


@pytest.mark.parametrize(
    ("topics", "problem"),
    [
        ({"RAW": "x", "PROCESSED": "x"}, "KAFKA_PROCESSED_TOPIC: Value error, KAFKA_RAW_TOPIC is x; each topic"),
        ({"GAP": "tweet.deletions"}, "KAFKA_GAP_TOPIC: Value error, KAFKA_DELETION_TOPIC is tweet_deletions; each"),
        ({"RAW": "source_gaps"}, "KAFKA_GAP_TOPIC: Value error, KAFKA_RAW_TOPIC is source_gaps; each topic needs"),
    ],
)
def test_two_topics_of_one_name_are_rejected(topics: dict[str, str], problem: str) -> None:
    assert problem in wrong("kafka", **{f"KAFKA_{kind}_TOPIC": name for kind, name in topics.items()})


def test_the_address_of_a_database_is_shown_without_its_credentials() -> None:
    settings = Settings({"COUNTS_DATABASE_URI": "postgresql://me:canary@db/counts?sslpassword=canary"})
    url = database_url("X", settings.counts.database_uri, "", settings.counts.database_password)
    assert Database("X", url).where == "postgresql://db/counts"


# --- the catalog's address, for Spark


def jdbc(**variables: str) -> str:
    return jdbc_uri(catalog_url(Settings(variables).archive))


def test_the_whole_address_of_the_catalog_reaches_spark() -> None:
    uri = "postgresql://me:pw@db:6432/cat%20alog?sslmode=verify-full&connect_timeout=5&application_name=a%20b"
    expected = "jdbc:postgresql://db:6432/cat%20alog?sslmode=verify-full&connectTimeout=5&ApplicationName=a+b"
    assert jdbc(ARCHIVE_CATALOG_URI=uri) == expected
    assert jdbc(ARCHIVE_CATALOG_URI="postgresql://db/x") == "jdbc:postgresql://db:5432/x"
    assert jdbc(ARCHIVE_CATALOG_URI="postgresql://[::1]/x") == "jdbc:postgresql://[::1]:5432/x"


def test_files_for_tls_reach_spark_and_the_address_overrides_them(authority: Authority) -> None:
    pair = authority.issue("archive")
    files = {
        "ARCHIVE_CATALOG_CA_FILE": str(authority.file),
        "ARCHIVE_CATALOG_CLIENT_CERTIFICATE_FILE": str(pair.certificate),
        "ARCHIVE_CATALOG_CLIENT_KEY_FILE": str(pair.key),
    }
    url = catalog_url(Settings(files | {"ARCHIVE_CATALOG_URI": "postgresql://db/x?sslmode=verify-ca"}).archive)
    assert dict(url.query) == {
        "sslmode": "verify-ca",
        "sslrootcert": str(authority.file),
        "sslcert": str(pair.certificate),
        "sslkey": str(pair.key),
    }
    key = Path(jdbc_uri(url).rpartition("sslkey=")[2].replace("%2F", "/"))
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    assert not key.read_bytes().startswith(b"-----"), "the JDBC driver reads DER"


@pytest.mark.parametrize(("given", "codes"), [("en", {"en"}), (" EN, de ", {"en", "de"}), ("all", {"all"})])
def test_languages_of_sentiment_are_codes(given: str, codes: set[str]) -> None:
    assert Settings({"SENTIMENT_LANGUAGES": given}).sentiment.codes == codes


@pytest.mark.parametrize("given", ["english", "en,", "e", "en de", "*"])
def test_a_language_that_is_no_code_is_rejected(given: str) -> None:
    said = wrong("sentiment", SENTIMENT_LANGUAGES=given)
    assert "SENTIMENT_LANGUAGES" in said
    assert "use codes of two or three letters such as en" in said


@pytest.mark.parametrize(
    ("given", "languages"), [("auto", "auto"), ("ALL", "all"), ("en", "en"), (" EN, ja,en ", "en,ja")]
)
def test_languages_with_topics_of_their_own(given: str, languages: str) -> None:
    assert Settings({"TOPICS_LANGUAGES": given}).topics.languages == languages


@pytest.mark.parametrize("given", ["english", "en,", "en,all", "en,und", "auto,en", "*", ""])
def test_a_wrong_choice_of_languages_is_rejected(given: str) -> None:
    said = wrong("topics", TOPICS_LANGUAGES=given)
    assert "TOPICS_LANGUAGES" in said
    assert "use auto, all, or codes of two or three letters such as en" in said
