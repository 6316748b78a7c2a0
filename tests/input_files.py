"""Files as people have them, made up: each form of tweets, and each kind of file that is often taken for one."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import zipfile
from dataclasses import dataclass
from typing import Any

import zstandard

from tests.input_forms import (
    COUNT,
    CREATED,
    FIRST_ID,
    IDS,
    ISO,
    TIME_MS,
    adaptive,
    dumped,
    each,
    hit,
    lines,
    mongo,
    page_v2,
    post_v2,
    profile,
    retweet,
    tarred,
    tweet,
    user_v2,
    web_tweet,
    zeeschuimer,
    zipped,
)


@dataclass(frozen=True)
class Sample:
    """A file. `rejected` is a part of the sentence with which it is; empty if all of `ids` come out."""

    group: str
    title: str
    name: str
    content: bytes
    rejected: str = ""
    ids: tuple[str, ...] = tuple(IDS)


def encrypted_zip() -> bytes:
    """A zip whose member is marked as encrypted, in both of its headers."""
    content = bytearray(zipped({"tweets.jsonl": V1}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def wide_window() -> bytes:
    """A zstd frame that asks for a window of 2 GiB: 1 KiB of zeros, in a block that repeats a byte."""
    block = (1024 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
    return b"\x28\xb5\x2f\xfd" + b"\x00" + bytes([(31 - 10) << 3]) + block


def _unescaped(number: int) -> str:
    return f"{dumped(tweet(number), ensure_ascii=False)}\n"


def with_numbers(whole: Any) -> Any:
    """An object of v2 as tools write it that take ids and times for numbers."""
    if isinstance(whole, dict):
        return {name: TIME_MS if name == "created_at" else with_numbers(one) for name, one in whole.items()}
    if isinstance(whole, list):
        return [with_numbers(one) for one in whole]
    return int(whole) if isinstance(whole, str) and whole.isdigit() else whole


def _with_number(whole: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in whole.items() if name != "id_str"}


V1 = lines(each(tweet))
_ARRAY = each(tweet)
_ONE_EACH = {f"2026/11/18/11/0{number}.json": lines([tweet(number)]) for number in range(COUNT)}
_EXPORT = [{"tweet": {key: value for key, value in tweet(number).items() if key != "user"}} for number in range(COUNT)]
_FLAT = [post_v2(number) | {"author": user_v2()} for number in range(COUNT)]
_EXPORT_JS = b"window.YTD.tweets.part0 = " + dumped(_EXPORT, indent=2).encode()
_LIMIT = b'{"limit":{"track":7,"timestamp_ms":"1794999600000"}}\n'
_DELETE = b'{"delete":{"status":{"id_str":"77","user_id_str":"5"},"timestamp_ms":"1794999600000"}}\n'
_GNIP = {"id": f"tag:search.twitter.com,2005:{IDS[0]}", "objectType": "activity", "verb": "post", "body": "text"}

_LINK = f"https://twitter.com/made_up/status/{FIRST_ID}"
_ID_OF_LINK = """jq -r '.{} | split("/")[-1]' FILE"""
"""Exact for ids that are numbers, which jq 1.6 rounds."""

_SNSCRAPE = {
    "_type": "snscrape.modules.twitter.Tweet",
    "url": _LINK,
    "id": FIRST_ID,
    "rawContent": "a text",
    "user": {"username": "x"},
}
_APIFY = {"id": IDS[0], "twitterUrl": "x", "text": "a text", "createdAt": CREATED, "author": {"userName": "made_up"}}
_BLUESKY = {"uri": "at://did:plc:x/app.bsky.feed.post/3k", "cid": "x", "record": {"text": "a text"}}
_TWINT = {
    "id": FIRST_ID,
    "link": _LINK,
    "created_at": "2021-01-01 12:00:00 UTC",
    "tweet": "a text",
    "username": "made_up",
}


def _read() -> list[Sample]:
    v1, v2, web, packed = "v1.1", "API v2", "X's website and account exports", "Compressed and packed"
    stores = "v1.1, exported from stores"
    return [
        Sample(v1, "one tweet per line", "tweets.jsonl", V1),
        Sample(
            v1,
            "lines that end with CR LF, blank lines, no last line end",
            "crlf.json",
            V1.replace(b"\n", b"\r\n\r\n")[:-4],
        ),
        Sample(v1, "UTF-8 with a byte order mark", "bom.jsonl", b"\xef\xbb\xbf" + V1),
        Sample(
            v1,
            "files with byte order marks, one after the other",
            "boms.jsonl",
            b"\xef\xbb\xbf".join((b"", *V1.splitlines(True))),
        ),
        Sample(
            v1,
            "a stored stream with `limit`, `warning` and `delete`",
            "stream.jsonl",
            _LIMIT + _DELETE + V1 + b'{"warning":{"code":"X"}}\n',
        ),
        Sample(
            v1,
            "a stored stream with `delimited=length`",
            "delimited.txt",
            b"".join(b"%d\r\n%s\r\n" % (len(line) + 2, line) for line in V1.splitlines()),
        ),
        Sample(v1, "a JSON array on one line", "array.json", dumped(_ARRAY).encode()),
        Sample(
            v1, "a JSON array over many lines", "pretty.json", dumped(_ARRAY, indent=4, ensure_ascii=False).encode()
        ),
        Sample(v1, "a JSON array per line", "arrays.jsonl", lines([[], _ARRAY[:2], _ARRAY[2:]])),
        Sample(v1, "objects without anything between", "joined.json", "".join(map(dumped, _ARRAY)).encode()),
        Sample(
            v1, "objects over many lines", "objects.json", "\n".join(dumped(one, indent=1) for one in _ARRAY).encode()
        ),
        Sample(v1, "lines with a comma at the end", "commas.json", ",\n".join(map(dumped, _ARRAY)).encode()),
        Sample(
            v1,
            "a JSON text sequence (RFC 7464)",
            "tweets.json-seq",
            "".join(f"\x1e{dumped(one)}\n" for one in _ARRAY).encode(),
        ),
        Sample(v1, "each tweet in a JSON string", "strings.jsonl", lines([dumped(one) for one in _ARRAY])),
        Sample(
            v1,
            "responses of the search API",
            "search.jsonl",
            lines([{"statuses": []}, {"statuses": _ARRAY}, {"statuses": [], "search_metadata": {}}]),
        ),
        Sample(
            v1,
            "responses of the premium search API",
            "premium.json",
            dumped({"results": _ARRAY, "next": "x"}, indent=2).encode(),
        ),
        Sample(v1, "retweets of twarc 1", "twarc.jsonl", lines(each(retweet))),
        Sample(
            v1, "CR LF, and NULs that a crash left at the end", "crash.jsonl", V1.replace(b"\n", b"\r\n") + bytes(512)
        ),
        Sample(
            v1,
            "an array with a tweet per line",
            "array.jsonl",
            b"[\n" + ",\n".join(map(dumped, _ARRAY)).encode() + b"\n]",
        ),
        Sample(
            v1,
            "two tweets on one line, whose line end is lost",
            "glued.jsonl",
            V1.replace(b"\n", b"", 2).replace(b"}{", b"}\n{", 1),
        ),
        Sample(v1, "an array without commas", "list.json", b"[\n" + V1 + b"]\n"),
        Sample(stores, "mongoexport", "mongo.json", lines(each(mongo))),
        Sample(stores, "mongoexport --jsonArray", "mongo-array.json", dumped(each(mongo)).encode()),
        Sample(stores, "elasticdump, hits of Elasticsearch one per line", "elastic.jsonl", lines(each(hit))),
        Sample(
            stores,
            "a response of Elasticsearch",
            "hits.json",
            dumped({"took": 1, "hits": {"hits": each(hit)}}).encode(),
        ),
        Sample(
            stores,
            "a body of Elasticsearch's bulk API",
            "bulk.jsonl",
            b"".join(lines([{"index": {"_index": "tweets", "_id": one["id_str"]}}, one]) for one in _ARRAY),
        ),
        Sample(stores, "Solr", "solr.json", dumped({"response": {"numFound": COUNT, "docs": _ARRAY}}).encode()),
        Sample(stores, "CouchDB", "couch.json", dumped({"rows": [{"id": "x", "doc": one} for one in _ARRAY]}).encode()),
        Sample(
            stores,
            "`kcat -J`",
            "kcat.jsonl",
            lines([{"topic": "t", "offset": 1, "payload": dumped(one)} for one in _ARRAY]),
        ),
        Sample(
            stores,
            "tweets without `id_str` in Elasticsearch",
            "numbers.jsonl",
            lines([one | {"_source": _with_number(one["_source"])} for one in each(hit)]),
        ),
        Sample(stores, "tweets under `data`", "data.jsonl", lines([{"data": one} for one in _ARRAY])),
        Sample(stores, "tweets under `status`", "status.jsonl", lines([{"status": one} for one in _ARRAY])),
        Sample(v2, "flat posts (`twarc2 flatten`)", "flat.jsonl", lines(_FLAT)),
        Sample(v2, "flat posts in a JSON array", "flat.json", dumped(_FLAT, indent=2).encode()),
        Sample(v2, "flat posts with ids and times as numbers (pandas)", "pandas.jsonl", lines(with_numbers(_FLAT))),
        Sample(
            v2,
            "4CAT's NDJSON",
            "4cat.ndjson",
            lines([post_v2(number) | {"author_user": user_v2()} for number in range(COUNT)]),
        ),
        Sample(
            v2,
            "stream lines (`twarc2 stream`)",
            "stream.jsonl",
            lines([{"data": one, "includes": {"users": [user_v2()]}, "matching_rules": []} for one in each(post_v2)]),
        ),
        Sample(
            v2,
            "pages of responses (`twarc2 search`, `hydrate`)",
            "pages.jsonl",
            lines([page_v2(range(2)), page_v2(range(2, COUNT)), {"data": [], "meta": {"result_count": 0}}]),
        ),
        Sample(
            v2,
            "posts in Elasticsearch",
            "elastic.jsonl",
            lines([{"_index": "posts", "_id": one["id"], "_score": 1.0, "_source": one} for one in _FLAT]),
        ),
        Sample(
            v2,
            "posts in CouchDB",
            "couch.json",
            dumped({"rows": [{"id": one["id"], "doc": one} for one in _FLAT]}).encode(),
        ),
        Sample(
            v2,
            "stream lines of `kcat -J`",
            "kcat.jsonl",
            lines(
                [
                    {"topic": "t", "payload": dumped({"data": one, "includes": {"users": [user_v2()]}})}
                    for one in each(post_v2)
                ]
            ),
        ),
        Sample(v2, "one page over many lines", "page.json", dumped(page_v2(range(COUNT)), indent=2).encode()),
        Sample(web, "Zeeschuimer's NDJSON", "zeeschuimer.ndjson", lines(each(zeeschuimer))),
        Sample(
            web,
            "Zeeschuimer's items in 4CAT's NDJSON",
            "4cat-x.ndjson",
            lines([web_tweet(number) | {"__import_meta": {}} for number in range(COUNT)]),
        ),
        Sample(web, "Zeeschuimer's items of the older website", "adaptive.ndjson", lines(each(adaptive))),
        Sample(web, "account export, `data/tweets.js`", "tweets.js", _EXPORT_JS),
        Sample(
            web,
            "account export of 2019, `tweet.js`",
            "tweet.js",
            b"window.YTD.tweet.part0 = " + dumped([one["tweet"] for one in _EXPORT]).encode(),
        ),
        Sample(
            web,
            "account export before 2019, `data/js/tweets/2013_05.js`",
            "2013_05.js",
            b"Grailbird.data.tweets_2013_05 = \n " + dumped(_ARRAY, indent=1).encode(),
        ),
        Sample(
            web,
            "the whole account export",
            "twitter-2026.zip",
            zipped(
                {
                    "Your archive.html": b"<html></html>",
                    "data/like.js": b'window.YTD.like.part0 = [{"like": {}}]',
                    "data/tweets.js": _EXPORT_JS,
                }
            ),
        ),
        Sample(packed, "gzip", "tweets.jsonl.gz", gzip.compress(V1)),
        Sample(packed, "bzip2", "tweets.jsonl.bz2", bz2.compress(V1)),
        Sample(packed, "xz", "tweets.jsonl.xz", lzma.compress(V1)),
        Sample(packed, "zstd", "tweets.jsonl.zst", zstandard.compress(V1)),
        Sample(packed, "compressed, whatever the name", "tweets", bz2.compress(V1)),
        Sample(packed, "named .gz, but not compressed", "plain.jsonl.gz", V1),
        Sample(packed, "zip", "tweets.jsonl.zip", zipped({"tweets.jsonl": V1})),
        Sample(packed, "zip of bzip2", "bzip2.zip", zipped({"tweets.jsonl": V1}, zipfile.ZIP_BZIP2)),
        Sample(packed, "tar", "stream.tar", tarred(_ONE_EACH)),
        Sample(
            packed,
            "tars one after the other",
            "joined.tar",
            b"".join(tarred({"tweets.json": lines([one])}) for one in _ARRAY),
        ),
        Sample(
            packed,
            "tar of compressed files (archive.org)",
            "archive.tar",
            tarred({f"{name}.bz2": bz2.compress(one) for name, one in _ONE_EACH.items()}),
        ),
        Sample(packed, "tar.gz", "stream.tar.gz", gzip.compress(tarred(_ONE_EACH))),
        Sample(packed, "tar.bz2", "stream.tar.bz2", bz2.compress(tarred(_ONE_EACH))),
        Sample(packed, "tar.xz", "stream.txz", lzma.compress(tarred(_ONE_EACH))),
        Sample(packed, "tar.zst", "stream.tar.zst", zstandard.compress(tarred(_ONE_EACH))),
        Sample(
            packed,
            "zips in a tar, arrays in a zip",
            "nested.tgz",
            gzip.compress(
                tarred(
                    {
                        "a.zip": zipped({"x.json": dumped(_ARRAY[:2], indent=1).encode()}),
                        "b.tar.bz2": bz2.compress(tarred({"y.json": dumped(_ARRAY[2:]).encode()})),
                    }
                )
            ),
        ),
    ]


def _rejected() -> list[Sample]:
    ids, tables, lacking, other = "Ids", "Tables", "Without what a tweet needs", "Not tweets, or not readable"
    hydrate = "twarc2 hydrate ids.txt tweets.jsonl"
    rounded = "their last digits are lost: export them again as text"
    id_lines = "".join(f"{one}\n" for one in IDS).encode()
    sentiment140 = '"0","1467810369","Mon Apr 06 22:19:45 PDT 2009","NO_QUERY","made_up","a text, with a comma"\n'
    header = b"id,text,lang\n"
    return [
        Sample(ids, "a list of ids", "ids.txt", id_lines, hydrate),
        Sample(ids, "with a heading", "ids.csv", b"tweet_id\n" + id_lines, hydrate),
        Sample(ids, "in quotes", "quoted.txt", "".join(f'"{one}"\n' for one in IDS).encode(), hydrate),
        Sample(ids, "a JSON array of ids", "ids.json", dumped(IDS).encode(), hydrate),
        Sample(ids, "ids that a spreadsheet has rounded", "rounded.csv", b"tweet_id\n1.99E+18\n1.99E+18\n", rounded),
        Sample(ids, "ids that pandas has rounded", "floats.csv", b"tweet_id\n1990000000000000000.0\n" * 2, rounded),
        Sample(ids, "ids rounded, with a decimal comma", "komma.csv", b"id\n1,99E+18\n" * 2, rounded),
        Sample(ids, "ids with labels", "labels.tsv", "".join(f"{one}\tpositive\n" for one in IDS).encode(), "TSV"),
        Sample(
            tables,
            "DMI-TCAT",
            "tcat.csv",
            f"id,time,created_at,from_user_name,text,lang\n{IDS[0]},1794999600,x,made_up,a text,en\n".encode(),
            "DMI-TCAT",
        ),
        Sample(
            tables,
            "4CAT",
            "4cat.csv",
            f'id,thread_id,timestamp,body,author\n{IDS[0]},1,x,"a text, and\nmore",made_up\n'.encode(),
            "as NDJSON",
        ),
        Sample(
            tables,
            "`twarc2 csv`",
            "twarc.csv",
            f"id,author_id,author.username,text\n{IDS[0]},42,made_up,a text\n".encode(),
            ".jsonl file",
        ),
        Sample(tables, "Sentiment140", "training.1600000.csv", (sentiment140 * 3).encode(), "Sentiment140"),
        Sample(tables, "Twint", "twint.csv", f"id\tusername\ttweet\n{IDS[0]}\tmade_up\ta text\n".encode(), "Twint"),
        Sample(tables, "any CSV", "tweets.csv", header + f"{IDS[0]},a text,en\n".encode(), "column 1"),
        Sample(
            tables,
            "CSV with ids of authors first (FiveThirtyEight's of the IRA)",
            "IRAhandle_tweets_1.csv",
            f'external_author_id,author,content,tweet_id\n906000000000000000,10_GOP,"a text, x",{IDS[0]}\n'.encode(),
            "column 4: write",
        ),
        Sample(
            tables,
            "CSV without ids",
            "covid19_tweets.csv",
            b"user_name,user_favourites,date,text\nmade_up,18775,2020-07-25 12:27:21,a text\n",
            "and replay reads JSON",
        ),
        Sample(
            tables,
            "CSV with rounded ids",
            "excel.csv",
            b"id,text\n1.23E+18,a text\n",
            f"ids are in column 1, but {rounded}",
        ),
        Sample(
            tables,
            "CSV of rtweet",
            "rtweet.csv",
            f'user_id,status_id,created_at,text\n"x42","x{IDS[0]}","2020-05-01 10:00:00","a text"\n'.encode(),
            "column 2, with an x in front",
        ),
        Sample(
            tables,
            "CSV with a line that is a number",
            "quoted.csv",
            header + f'{IDS[0]},"the best songs of\n1990\nand later",en\n'.encode() * 3,
            "CSV",
        ),
        Sample(
            tables, "CSV with semicolons", "excel.csv", b"id;text;lang\n1;a, text;en\n2;b;en\n", "CSV with semicolons"
        ),
        Sample(tables, "CSV in a zip", "kaggle.zip", zipped({"tweets.csv": header + b"1,a text,en\n"}), "CSV"),
        Sample(
            tables,
            "Excel",
            "tweets.xlsx",
            zipped({"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"}),
            "an Office document",
        ),
        Sample(
            lacking,
            "ids under another name (rtweet)",
            "rtweet.jsonl",
            lines([{"status_id": one, "created_at": "2026-11-18 11:00:00", "text": "a text"} for one in IDS]),
            "(id: no id_str and no id; with the fields status_id, created_at, text)",
        ),
        Sample(
            lacking,
            "ids under another name, in a JSON array",
            "kaggle.json",
            dumped([{"tweet_id": FIRST_ID, "created_at": CREATED, "text": "a text"}] * 3, indent=1).encode(),
            "with the fields tweet_id, created_at, text",
        ),
        Sample(
            lacking,
            "times under another name",
            "dates.jsonl",
            lines([{"id": FIRST_ID, "date": CREATED, "text": "a text"}] * 3),
            "(time: no readable timestamp_ms or created_at; with the fields id, date, text)",
        ),
        Sample(
            lacking,
            "times without a time of day",
            "days.jsonl",
            lines([{"id": one, "created_at": "2026-11-18", "text": "a text"} for one in (IDS[0], FIRST_ID)]),
            "time: no readable",
        ),
        Sample(
            lacking,
            "ids rounded by a spreadsheet",
            "rounded.jsonl",
            lines([{"id": "1.99E+18", "created_at": CREATED, "text": "a text"}] * 3),
            "(id: id is the float 1.99E+18, whose last digits are lost; with the fields",
        ),
        Sample(
            lacking,
            "Hacker News",
            "hackernews.jsonl",
            lines([{"id": 1, "by": "x", "text": "a text", "time": 1}] * 3),
            "time: no readable",
        ),
        Sample(
            lacking,
            "other posts with ids of digits",
            "posts.jsonl",
            lines([{"id": "7", "text": "a text", "likes": 3}] * 3),
            "(time: no readable timestamp_ms or created_at; with the fields id, text, likes)",
        ),
        Sample(
            lacking,
            "TikTok's posts (Apify)",
            "tiktok.jsonl",
            lines([{"id": "7012345678901234567", "text": "dance", "createTime": 1632723000, "authorMeta": {}}] * 2),
            "time: no readable",
        ),
        Sample(
            lacking,
            "pages of such posts",
            "pages.json",
            dumped({"data": [{"id": "7", "text": "a text"}, {"id": "8", "text": "a text"}]}).encode(),
            "time: neither",
        ),
        Sample(
            lacking,
            "Instagram's comments",
            "comments.json",
            dumped({"data": [{"id": "17870913679156914", "text": "a text", "timestamp": ISO}]}).encode(),
            "time: no readable created_at",
        ),
        Sample(other, "Gnip activities", "gnip.json", lines([_GNIP]), "Gnip"),
        Sample(other, "snscrape", "snscrape.jsonl", lines([_SNSCRAPE]), _ID_OF_LINK.format("url")),
        Sample(
            other,
            "snscrape of 2020",
            "old.jsonl",
            lines([{"url": _LINK, "content": "a text", "renderedContent": "a text", "user": {"username": "x"}}]),
            _ID_OF_LINK.format("url"),
        ),
        Sample(
            other,
            "JSON of `twarc2 csv`'s columns",
            "twarc.json",
            lines([{"id": IDS[0], "text": "a text", "created_at": ISO, "public_metrics.like_count": 2}]),
            "rows of `twarc2 csv`: replay the .jsonl file",
        ),
        Sample(other, "Twint's JSON", "twint.json", lines([_TWINT]), _ID_OF_LINK.format("link")),
        Sample(other, "Reddit's posts", "reddit.json", lines([{"id": "x", "subreddit": "x", "title": "x"}]), "Reddit"),
        Sample(
            other, "CSV in UTF-16 without a mark", "excel.txt", "id,text\n1,x\n".encode("utf-16-le"), "CSV, in UTF-16"
        ),
        Sample(other, "Excel's Unicode text", "unicode.txt", "id\ttext\r\n1\tx\r\n".encode("utf-16"), "TSV, in UTF-16"),
        Sample(
            other,
            "JSON in Windows-1252",
            "latin.jsonl",
            '{"id_str": "1", "text": "café"}\n'.encode("cp1252"),
            "WINDOWS-1252",
        ),
        Sample(
            other,
            "JSON in Windows-1252, in which some tweets are ASCII",
            "windows.jsonl",
            lines([tweet(0)])
            + "".join(map(_unescaped, range(1, COUNT))).encode("cp1252", "ignore")
            + lines([tweet(0)]),
            "WINDOWS-1252",
        ),
        Sample(
            other,
            "a JSON array in Windows-1252",
            "windows.json",
            f"[{','.join(map(_unescaped, range(COUNT)))}]".encode("cp1252", "ignore"),
            "WINDOWS-1252",
        ),
        Sample(
            other,
            "JSON in Windows-1252 over many lines",
            "pretty.json",
            dumped([tweet(0)], indent=1, ensure_ascii=False).encode("cp1252", "ignore"),
            "WINDOWS-1252",
        ),
        Sample(other, "user profiles", "users.jsonl", lines([user_v2()]), "user profiles"),
        Sample(
            other, "user profiles of v1.1 (`twarc users`)", "twarc-users.jsonl", lines(each(profile)), "user profiles"
        ),
        Sample(
            other, "counts of API v2", "counts.json", lines([{"data": [{"start": ISO, "tweet_count": 3}]}]), "counts"
        ),
        Sample(
            other, "Zeeschuimer on another site", "tiktok.ndjson", lines([zeeschuimer(0, "tiktok.com")]), "tiktok.com"
        ),
        Sample(
            other,
            "Mastodon's posts",
            "mastodon.json",
            lines([{"id": "1", "content": "<p>x</p>", "account": {}}]),
            "PRODUCER_SOURCE=mastodon",
        ),
        Sample(
            other,
            "academictwitteR's `users_*.json`",
            "users_1.json",
            dumped({"users": [user_v2()], "tweets": each(post_v2), "places": []}).encode(),
            "data_*.json",
        ),
        Sample(
            other,
            "pandas' `df.to_json()`",
            "columns.json",
            dumped({"id": {"0": FIRST_ID}, "created_at": {"0": TIME_MS}, "text": {"0": "a text"}}).encode(),
            'orient="records", lines=True',
        ),
        Sample(
            other,
            "tweets by id",
            "by-id.json",
            dumped(dict(zip(IDS, _ARRAY, strict=True))).encode(),
            '"FILE")).values()',
        ),
        Sample(
            other,
            "tweets under a name that is not known",
            "items.json",
            dumped({"total": COUNT, "limit": 50, "items": _ARRAY}).encode(),
            '"FILE"))["NAME"]',
        ),
        Sample(
            other,
            "tweets under a field that is not known",
            "wrapped.jsonl",
            lines([{"tweet_json": one, "collected_at": ISO} for one in _ARRAY]),
            "tweets under the field tweet_json: write them one per line: `jq -c '.tweet_json' FILE",
        ),
        Sample(
            other,
            "tweets in strings under such a field",
            "kafka.json",
            dumped([{"key": one["id_str"], "value": dumped(one), "offset": 1} for one in _ARRAY]).encode(),
            "`jq -c '.[].value | fromjson' FILE",
        ),
        Sample(
            other,
            "BigQuery's rows with a tweet in a string",
            "rows.jsonl",
            lines([{"tweet": dumped(one), "username": "made_up"} for one in _ARRAY]),
            "`jq -c '.tweet | fromjson' FILE",
        ),
        Sample(
            other,
            "tweepy's objects (jsonpickle)",
            "pickle.jsonl",
            lines([{"py/object": "tweepy.models.Status", "_json": one, "text": "x", **one} for one in _ARRAY]),
            "`jq -c '._json' FILE",
        ),
        Sample(
            other,
            "rows of Hugging Face's dataset viewer",
            "rows.json",
            dumped({"features": [], "rows": [{"row_idx": 0, "row": one} for one in _ARRAY]}).encode(),
            "`jq -c '.rows[].row' FILE",
        ),
        Sample(other, "Apify's tweets", "apify.json", dumped([_APIFY]).encode(), "tweets of Apify"),
        Sample(other, "Mastodon's account export", "outbox.json", dumped({"orderedItems": []}).encode(), "ActivityPub"),
        Sample(
            other,
            "Bluesky's `getAuthorFeed`",
            "feed.json",
            dumped({"feed": [{"post": _BLUESKY}]}).encode(),
            "Bluesky posts",
        ),
        Sample(
            other, "Bluesky's `listRecords`", "records.json", dumped({"records": [_BLUESKY]}).encode(), "Bluesky posts"
        ),
        Sample(other, "Bluesky's repository export", "repo.car", b"\x3a\xa2eroots\x81\xd8\x2aX" + bytes(60), "CAR"),
        Sample(
            other,
            "Telegram's export",
            "result.json",
            dumped({"name": "x", "type": "public_channel", "messages": [{"text": "x"}]}, indent=1).encode(),
            "Telegram",
        ),
        Sample(
            other,
            "Threads' posts",
            "threads.json",
            lines([{"id": "1", "text": "x", "permalink": "x", "media_type": "TEXT_POST"}]),
            "Threads",
        ),
        Sample(
            other,
            "whole texts of long posts in an account export (`data/note-tweet.js`)",
            "note-tweet.js",
            b'window.YTD.note_tweet.part0 = [{"noteTweet": {"noteTweetId": "1", "core": {"text": "all of it"}}}]',
            "the long posts of an account export",
        ),
        Sample(other, "another part of an account export", "like.js", b"window.YTD.like.part0 = [ ]", "data/tweets.js"),
        Sample(
            other, "an account export without tweets", "tweets.js", b"window.YTD.tweets.part0 = [ ]", "has no records"
        ),
        Sample(other, "an empty array", "empty.json", b"[\n]\n", "has no records"),
        Sample(other, "a search without results", "none.json", b'{"statuses": []}\n', "has no records"),
        Sample(
            other,
            "other JSON",
            "package.json",
            dumped({"name": "x", "version": "1"}, indent=2).encode(),
            "name, version",
        ),
        Sample(other, "UTF-16, little endian", "utf16.jsonl", V1.decode().encode("utf-16"), "iconv -f UTF-16 "),
        Sample(
            other,
            "UTF-16, big endian",
            "utf16be.jsonl",
            b"\xfe\xff" + V1.decode().encode("utf-16-be"),
            "iconv -f UTF-16 ",
        ),
        Sample(other, "UTF-16 without a mark", "utf16le.jsonl", V1.decode().encode("utf-16-le"), "iconv -f UTF-16LE "),
        Sample(other, "UTF-32", "utf32.jsonl", V1.decode().encode("utf-32"), "iconv -f UTF-32 "),
        Sample(other, "Python dictionaries", "printed.txt", f"{tweet(0)}\n{tweet(1)}\n".encode(), "json.dumps"),
        Sample(other, "an encrypted zip", "secret.zip", encrypted_zip(), "password"),
        Sample(other, "a zip of lzma", "lzma.zip", zipped({"tweets.jsonl": V1}, zipfile.ZIP_LZMA), "unzip it first"),
        Sample(other, "zstd with a window of 2 GiB", "long.jsonl.zst", wide_window(), "--long=31"),
        Sample(other, "7z", "tweets.7z", b"7z\xbc\xaf\x27\x1c" + bytes(30), "7z x"),
        Sample(other, "RAR", "tweets.rar", b"Rar!\x1a\x07\x01\x00" + bytes(30), "unrar"),
        Sample(other, "lz4", "tweets.jsonl.lz4", b"\x04\x22\x4d\x18\x64\x40\xa7" + bytes(30), "lz4 -d"),
        Sample(other, "lz4 of Hadoop and Linux", "old.lz4", b"\x02\x21\x4c\x18" + bytes(30), "lz4 -d"),
        Sample(other, "LZO", "tweets.lzo", b"\x89LZO\0\r\n\x1a\n" + bytes(30), "lzop -d"),
        Sample(other, "ORC", "tweets.orc", b"ORC\x0a" + bytes(30), "ORC"),
        Sample(
            other,
            "a SequenceFile of Hadoop",
            "part-00000",
            b"SEQ\x06\x21org.apache.hadoop.io.LongWritable\x19org.apache.hadoop.io.Text" + V1,
            "hadoop fs -text FILE",
        ),
        Sample(other, "Parquet", "tweets.parquet", b"PAR1" + bytes(30), "Parquet"),
        Sample(other, "WARC", "tweets.warc.gz", gzip.compress(b"WARC/1.0\r\nWARC-Type: warcinfo\r\n"), "a WARC file"),
        Sample(other, "SQLite", "tweets.db", b"SQLite format 3\0" + bytes(80), "SQLite"),
        Sample(other, "a Python pickle", "tweets.pkl", b"\x80\x04\x95\x10\0\0\0\0\0\0\0]\x94.", "pickle"),
        Sample(other, "BSON", "tweets.bson", struct.pack("<i", 60) + b"\x07_id\0" + bytes(50), "bsondump"),
        Sample(other, "an SQL dump", "tweets.sql", b"-- MySQL dump 10.13\n\nCREATE TABLE tweets (id bigint);\n", "SQL"),
        Sample(other, "a web page", "tweets.json", b"<!DOCTYPE html><html><body>Log in</body></html>", "web page"),
        Sample(other, "XML", "tweets.xml", b'<?xml version="1.0"?><statuses></statuses>', "XML"),
        Sample(
            other,
            "a Git LFS pointer",
            "tweets.jsonl.gz",
            b"version https://git-lfs.github.com/spec/v1\noid x\n",
            "git lfs pull",
        ),
        Sample(other, "text", "notes.txt", b"These are my notes.\nNothing else.\n", "unknown format"),
    ]


SAMPLES = [*_read(), *_rejected()]
