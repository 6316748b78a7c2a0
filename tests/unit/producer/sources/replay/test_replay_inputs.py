"""Every kind of file: read completely and in order, and resumed anywhere, or rejected by name with nothing sent."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer.position import PositionFile
from producer.source import Context, Event
from producer.sources.replay import ReplaySource
from producer.sources.replay.containers import texts
from producer.sources.replay.extended_json import plain
from producer.sources.replay.formats import recognise
from producer.sources.replay.lines import Line
from producer.sources.replay.material import TruncatedError
from producer.sources.replay.records import read_all
from producer.sources.replay.tables import table_refusal
from producer.sources.replay.values import values
from tests.input_files import SAMPLES, V1, Sample, with_numbers
from tests.input_forms import (
    COUNT,
    FIRST_ID,
    IDS,
    TIME_MS,
    each,
    lines,
    mongo,
    page_v2,
    post_v2,
    tarred,
    tweet,
    user_v2,
    web_tweet,
    zipped,
)
from tests.inputs_page import PAGE, page
from tests.unit.producer.sources.replay.test_replay import after, opened, sent
from twitter_topics.errors import ConfigurationError
from twitter_topics.records.tweet import TimeBounds, Tweet, read_tweet
from twitter_topics.settings import Settings

READ = [sample for sample in SAMPLES if not sample.rejected]
REJECTED = [sample for sample in SAMPLES if sample.rejected]
ANY_TIME = TimeBounds(2**63, 2**63)


def titles(samples: list[Sample]) -> list[str]:
    return [f"{sample.group}: {sample.title}" for sample in samples]


def written(folder: Path, sample: Sample) -> Path:
    path = folder / sample.name
    path.write_bytes(sample.content)
    return path


def posts(events: list[Event]) -> list[Event]:
    return [event for event in events if event.kind == "post"]


@pytest.mark.parametrize("sample", READ, ids=titles(READ))
def test_all_tweets_come_out_in_order_as_tweets(sample: Sample, tmp_path: Path) -> None:
    events = posts(sent(opened(written(tmp_path, sample))))
    assert [event.key.decode() for event in events] == list(sample.ids)
    for event in events:
        got = read_tweet(event.value, 0, ANY_TIME)
        assert isinstance(got, Tweet), got
        assert got.tweet_id == event.key.decode()
        assert abs(got.event_time_ms - TIME_MS) < 1000
        assert got.event_time_ms == event.event_time_ms
        assert [tag["text"] for tag in got.body["entities"]["hashtags"]] == ["trains"]
        assert got.body.get("user", {"screen_name": "made_up"})["screen_name"] == "made_up"
        assert b"\n" not in event.value


@pytest.mark.parametrize("sample", READ, ids=titles(READ))
def test_a_restart_after_any_record_sends_the_rest(sample: Sample, tmp_path: Path) -> None:
    path = written(tmp_path, sample)
    source = opened(path)
    whole = sent(source)
    positions = PositionFile(tmp_path / "positions", "replay")
    for done in range(1, len(whole) + 1):
        positions.save(after(source, whole[:done]))
        assert sent(opened(path, positions.load())) == whole[done:]


@pytest.mark.parametrize("sample", READ, ids=titles(READ))
def test_shifted_tweets_happen_now(sample: Sample, tmp_path: Path) -> None:
    events = posts(sent(opened(written(tmp_path, sample), replay_times="shift")))
    assert [event.key.decode() for event in events] == list(sample.ids)
    for event in events:
        got = read_tweet(event.value, 1_800_000_000_000, TimeBounds())
        assert isinstance(got, Tweet), got
        assert got.event_time_ms == event.event_time_ms


@pytest.mark.parametrize("sample", REJECTED, ids=titles(REJECTED))
def test_other_files_are_rejected_with_what_helps(sample: Sample, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        opened(written(tmp_path, sample))
    assert sample.rejected in str(error.value)
    assert sample.name in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_is_rejected_only_if_nothing_in_its_first_records_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "tweets.jsonl"
    without_time = b'{"id_str":"1","text":"%s"}\n' % (b"x" * 200)
    path.write_bytes(without_time * 900 + V1)  # more than is looked at at first
    assert [event.key.decode() for event in sent(opened(path))] == ["1"] * 900 + IDS
    path.write_bytes((without_time + b"\n") * 1_000 + V1)
    with pytest.raises(ConfigurationError, match="no readable timestamp_ms"):
        opened(path)
    for message in ({"limit": {"track": 7}}, {"delete": {"status": {"id": 7, "user_id": 5}}}):
        path.write_bytes(lines([message]) + without_time + V1)
        assert opened(path).check().startswith(f"replays {path}: 1 file, ")


def test_a_folder_of_everything_sends_what_can_be_read_and_counts_the_rest(tmp_path: Path) -> None:
    for number, sample in enumerate(SAMPLES):
        (tmp_path / f"{number:03}-{sample.name}").write_bytes(sample.content)
    source = opened(tmp_path)
    assert len(posts(sent(source))) == COUNT * len(READ)
    check = source.check()
    for sentence in ("2 × UTF-16", "4 × a list of tweet ids", "1 × CSV (an export of DMI-TCAT)", "-tcat.csv)"):
        assert sentence in check, check
    for number, sample in enumerate(SAMPLES):
        assert sample.rejected or f"{number:03}-{sample.name}," not in check


def test_docs_inputs_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.inputs_page`"


def test_a_file_without_records_is_neither_sent_nor_left_out(tmp_path: Path) -> None:
    (tmp_path / "1.jsonl").write_bytes(V1)
    for number, content in enumerate((b"", b"[]", b"window.YTD.tweets.part0 = [ ]", b'{"statuses": []}'), 2):
        (tmp_path / f"{number}.json").write_bytes(content)
    source = opened(tmp_path, now_ms=TIME_MS)
    assert [event.key.decode() for event in sent(source)] == IDS
    assert "B, v1.1 tweets, one per line, the first tweet" in source.check()
    assert "left out" not in source.check()


def test_a_mapped_tweet_keeps_its_original(tmp_path: Path) -> None:
    by_title = {sample.title: sample for sample in READ}
    flat = by_title["flat posts (`twarc2 flatten`)"]
    events = posts(sent(opened(written(tmp_path, flat))))
    assert [json.loads(event.value)["source_payload"] for event in events] == [
        json.loads(line) for line in flat.content.splitlines()
    ]
    pages = by_title["pages of responses (`twarc2 search`, `hydrate`)"]
    events = posts(sent(opened(written(tmp_path, pages))))
    assert [json.loads(event.value)["source_payload"] for event in events] == [
        {name: found for name, found in page_v2(range(number, number + 1)).items() if name != "meta"}
        | {"data": page_v2(range(number, number + 1))["data"][0]}
        for number in range(COUNT)
    ]


@pytest.mark.parametrize("form", ["flat", "stream", "page"])
def test_a_stored_edit_is_one_of_its_original(form: str, tmp_path: Path) -> None:
    first = post_v2(0) | {"text": "frist"}
    edit = post_v2(1) | {"text": "first", "edit_history_tweet_ids": IDS[:2]}
    forms = {"flat": [first, edit], "stream": [{"data": first}, {"data": edit}], "page": [{"data": [first, edit]}]}
    path = tmp_path / "edits.jsonl"
    path.write_bytes(lines(forms[form]))
    events = sent(opened(path))
    assert [(event.kind, event.key.decode()) for event in events] == [("post", IDS[0]), ("edit", IDS[0])]
    assert [json.loads(event.value)["text"] for event in events] == ["frist", "first"]
    assert json.loads(events[1].value)["id_str"] == IDS[0]


@pytest.mark.parametrize("form", ["flat", "stream", "page"])
def test_ids_of_v2_may_be_numbers(form: str, tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    author = user_v2()
    original = post_v2(1) | {"author_id": "7", "text": "the whole original text"}
    post = post_v2(0) | {"referenced_tweets": [{"type": "retweeted", "id": IDS[1]}], "note_tweet": {"text": "long"}}
    message = {"data": post, "includes": {"users": [author], "tweets": [original]}}
    forms = {
        "flat": post | {"author": author, "referenced_tweets": [{"type": "retweeted"} | original]},
        "stream": message,
        "page": message | {"data": [post]},
    }

    def mapped(body: object) -> dict[str, Any]:
        path.write_bytes(lines([body]))
        [event] = sent(opened(path))
        assert (event.kind, event.key.decode(), event.event_time_ms) == ("post", IDS[0], TIME_MS), event.reason
        return {name: one for name, one in json.loads(event.value).items() if name != "source_payload"}

    found = mapped(with_numbers(forms[form]))
    assert found == mapped(forms[form])
    assert (found["user"]["id_str"], found["user"]["screen_name"], found["retweet_count"]) == ("42", "made_up", 1)
    assert found["retweeted_status"]["text"] == "the whole original text"


@pytest.mark.parametrize("more", [{"user": {"id": 42}}, {"id_str": IDS[0]}, {"lang": "en", "retweet_count": 5}])
def test_a_tweet_of_v1_with_a_number_stays_one(more: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "tweets.jsonl"
    content = lines([{"id": int(IDS[0]), "text": "a text", "created_at": TIME_MS} | more])
    path.write_bytes(content)
    assert [event.value for event in sent(opened(path))] == [content.strip()]


def website(number: int) -> dict[str, Any]:
    control = {"edit_tweet_ids": IDS[:2], "is_edit_eligible": True}
    if number:
        control = {"initial_tweet_id": IDS[0], "edit_control_initial": control}
    return web_tweet(number) | {"edit_control": control}


def enterprise(number: int) -> dict[str, Any]:
    return tweet(number) | {"edit_history": {"initial_tweet_id": IDS[0], "edit_tweet_ids": IDS[: number + 1]}}


def enterprise_numbers(number: int) -> dict[str, Any]:
    return tweet(number) | {"edit_history": {"edit_tweet_ids": [FIRST_ID, FIRST_ID + 1]}}


def account(number: int) -> dict[str, Any]:
    initial = {"editTweetIds": IDS[:2], "isEditEligible": True}
    edit = {"initialTweetId": IDS[0], "editControlInitial": initial}
    return tweet(number) | {"edit_info": {"edit": edit} if number else {"initial": initial}}


@pytest.mark.parametrize("whole", [website, enterprise, enterprise_numbers, account])
def test_each_form_of_an_edit_is_one_of_its_original(whole: Callable[[int], dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "edits.jsonl"
    path.write_bytes(lines(each(whole)[:2]))
    first, edit = sent(opened(path))
    assert [(event.kind, event.key.decode()) for event in (first, edit)] == [("post", IDS[0]), ("edit", IDS[0])]
    got = read_tweet(edit.value, 0, ANY_TIME)
    assert isinstance(got, Tweet)
    assert (got.tweet_id, got.event_time_ms) == (IDS[0], edit.event_time_ms)
    assert got.body["edit_history_tweet_ids"] == IDS[:2]
    assert json.loads(edit.value)["source_payload"] == whole(1)


def test_posts_of_v2_are_dated_by_their_ids_only_if_all_fields_are_of_v2(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    bare = {"id": IDS[0], "text": "from tweepy", "edit_history_tweet_ids": [IDS[0]]}
    for content in ([bare], [{"data": [bare]}], [{"data": bare}]):
        path.write_bytes(lines(content))
        [event] = sent(opened(path))
        assert (event.kind, event.key.decode()) == ("post", IDS[0])
    foreign = bare | {"likes": 3}
    dated = foreign | {"created_at": "2026-11-18T11:00:00.000Z"}
    path.write_bytes(lines([{"data": [foreign, dated, bare | {"created_at": "yesterday"}]}]))
    events = sent(opened(path))
    assert [event.reason for event in events] == ["time: no readable created_at", "", "time: no readable created_at"]


def test_posts_that_others_refer_to_are_not_sent(tmp_path: Path) -> None:
    (tmp_path / "data_1.json").write_text(json.dumps([post_v2(0)]))
    (tmp_path / "users_1.json").write_text(json.dumps({"users": [], "tweets": [post_v2(1)]}))
    source = opened(tmp_path)
    assert [event.key.decode() for event in sent(source)] == IDS[:1]
    assert "1 × includes of API v2" in source.check()
    (tmp_path / "users_1.json").write_text(json.dumps({"users": [], "tweets": [tweet(1)]}))
    assert [event.key.decode() for event in sent(opened(tmp_path))] == IDS[:2]


def test_everything_a_flat_post_refers_to_is_used(tmp_path: Path) -> None:
    other = {"id": "1990000000000000999", "text": "the whole original text", "created_at": "2026-11-18T10:00:00.000Z"}
    post = {
        "id": IDS[0],
        "text": "RT @other: the whole ori…",
        "created_at": "2026-11-18T11:00:00.000Z",
        "author_id": "42",
        "author": {"id": "42", "username": "made_up"},
        "referenced_tweets": [
            {"type": "retweeted", **other, "author_id": "7", "author": {"id": "7", "username": "other"}}
        ],
        "geo": {"place_id": "abc", "full_name": "Springfield", "country_code": "XX"},
        "in_reply_to_user_id": "8",
        "in_reply_to_user": {"id": "8", "username": "third"},
    }
    path = tmp_path / "flat.jsonl"
    path.write_bytes(lines([post]))
    (event,) = sent(opened(path))
    body = json.loads(event.value)
    assert body["retweeted_status"]["text"] == "the whole original text"
    assert body["retweeted_status"]["user"]["screen_name"] == "other"
    assert body["place"]["full_name"] == "Springfield"
    assert body["in_reply_to_screen_name"] == "third"


def test_retweets_quotes_and_long_texts_of_the_website(tmp_path: Path) -> None:
    def of(tweet_id: str, text: str, **more: object) -> dict[str, object]:
        author = {"rest_id": "7", "legacy": {"screen_name": "made_up"}}
        legacy = {"id_str": tweet_id, "full_text": text, "created_at": "Wed Nov 18 11:00:00 +0000 2026"}
        return {"rest_id": tweet_id, "core": {"user_results": {"result": author}}, "legacy": legacy} | more

    original = of("1", "short…", note_tweet={"note_tweet_results": {"result": {"text": "all of the long text"}}})
    retweet = of("2", "RT @made_up: short…")
    retweet["legacy"]["retweeted_status_result"] = {"result": {"tweet": original}}  # type: ignore[index]
    quote = of("3", "look", quoted_status_result={"result": of("4", "quoted")})
    path = tmp_path / "web.ndjson"
    path.write_bytes(lines([retweet, quote, {"rest_id": "x", "legacy": {"full_text": "no id"}}]))
    first, second, broken = sent(opened(path))
    body = json.loads(first.value)
    assert body["retweeted_status"]["extended_tweet"]["full_text"] == "all of the long text"
    assert body["retweeted_status"]["user"] == {"screen_name": "made_up", "id": 7, "id_str": "7"}
    assert json.loads(second.value)["quoted_status"]["full_text"] == "quoted"
    assert (broken.kind, broken.reason) == ("unreadable", "id: not a whole number")


def test_messages_of_the_stream_are_what_they_are_when_live(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "stream.jsonl"
    messages = [{"limit": {"track": 7}}, {"limit": {"track": 10}}, {"warning": {"code": "FALLING_BEHIND"}}]
    withheld = {"status_withheld": {"id": 7, "user_id": 5, "withheld_in_countries": ["DE"]}}
    path.write_bytes(lines([messages[0], tweet(0), messages[1], withheld, messages[2], {"limit": {"track": 2}}]))
    context = Context()
    source = ReplaySource.open(Settings({"PRODUCER_REPLAY_FILE": str(path)}), None, context)
    assert [(event.kind, event.cursor) for event in sent(source)] == [("post", 2), ("notice", 4)]
    assert context.status.not_delivered == 12
    assert caplog.text.count("the stream sent a message of the kind limit") == 1


def test_what_is_no_tweet_in_what_an_api_has_sent_is_no_dead_letter(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "stored.jsonl"
    missing = {"title": "Not Found Error", "detail": "Could not find tweet with ids: [1].", "resource_id": "1"}
    twarc = {"url": "x", "version": "2", "retrieved_at": "2026-11-18T11:00:00+00:00"}
    path.write_bytes(lines([page_v2(range(COUNT)), {"errors": [missing], "__twarc": twarc}]))
    assert [(event.kind, event.key.decode()) for event in sent(opened(path))] == [("post", one) for one in IDS]
    assert "Could not find tweet with ids: [1]." in caplog.text
    info = {"info": {"message": "Replay Request Completed", "sent": "2026-11-18T11:00:00+00:00", "activity_count": 3}}
    path.write_bytes(lines([*each(tweet), info]))
    assert [(event.kind, event.key.decode()) for event in sent(opened(path))] == [("post", one) for one in IDS]
    assert "of the kind info" in caplog.text


def test_an_unreadable_member_of_a_page_is_a_dead_letter_and_the_others_are_sent(tmp_path: Path) -> None:
    body = page_v2(range(COUNT))
    del body["data"][1]["text"]
    path = tmp_path / "page.json"
    path.write_text(json.dumps(body))
    events = sent(opened(path))
    assert [(event.kind, event.cursor) for event in events] == [("post", "\t0+1"), ("unreadable", "\t0+2"), ("post", 1)]
    assert events[1].reason == "text: no text"


@pytest.mark.parametrize(
    ("old", "days", "sentence"),
    [
        (0, 30, ""),
        (
            1,
            30,
            "1 of 3 tweets are older than SPEED_MAX_AGE_DAYS (30) and will be rejected: set SPEED_MAX_AGE_DAYS=92 ",
        ),
        (2, 7, "2 of 3 tweets are older than SPEED_MAX_AGE_DAYS (7) and will be rejected: set SPEED_MAX_AGE_DAYS=92 "),
        (1, 100, ""),
    ],
)
def test_old_tweets_are_counted_before_the_start(tmp_path: Path, old: int, days: int, sentence: str) -> None:
    now_ms, day_ms = 1_800_000_000_000, 86_400_000
    times = [now_ms - 90 * day_ms] * old + [now_ms - day_ms] * (COUNT - old)
    path = tmp_path / "years.jsonl"
    path.write_bytes(lines([tweet(number) | {"timestamp_ms": str(at)} for number, at in enumerate(times)]))
    given = Settings({"PRODUCER_REPLAY_FILE": str(path), "SPEED_MAX_AGE_DAYS": str(days)})
    source = ReplaySource.open(given, None, Context(now_ms=lambda: now_ms))
    assert sentence in source.check()
    assert bool(sentence) == ("older" in source.check())
    shifted = Settings({"PRODUCER_REPLAY_FILE": str(path), "PRODUCER_REPLAY_TIMES": "shift"})
    assert ("older" in ReplaySource.open(shifted, None, Context(now_ms=lambda: now_ms)).check()) == (0 < old < COUNT)


def test_old_tweets_are_not_counted_again_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tweets.jsonl"
    path.write_bytes(lines([tweet(number) | {"timestamp_ms": "1200000001000"} for number in range(COUNT)]))
    source = opened(path)
    assert "3 of 3 tweets are older" in source.check()
    again = opened(path, after(source, sent(source)[:1]))
    monkeypatch.setattr(again._material, "tweet_times", None)
    assert again.check().endswith("; 1 records sent so far")


def test_old_tweets_that_come_late_are_reported_when_they_come(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now_ms = TIME_MS + 1_000
    path = tmp_path / "newest-first.jsonl"
    path.write_bytes(lines([tweet(0)]) * 2_100 + lines([tweet(1) | {"timestamp_ms": "1200000001000"}]))
    source = opened(path, now_ms=now_ms)
    assert "older" not in source.check()
    sent(source)
    assert "a tweet of 2008-01-10T21:20:01Z is older than 30 days" in caplog.text
    assert "1 of the tweets sent are older than SPEED_MAX_AGE_DAYS (30)" in caplog.text


def test_the_limit_bounds_what_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "years.jsonl"
    path.write_bytes(
        lines([tweet(0) | {"timestamp_ms": "1200000001000"}, tweet(1) | {"timestamp_ms": "1200000002000"}])
    )
    assert "1 of 1 tweets are older" in opened(path, limit=1).check()


def test_counting_old_tweets_takes_a_bounded_time(tmp_path: Path) -> None:
    path = tmp_path / "years.jsonl"
    path.write_bytes(lines([tweet(0) | {"timestamp_ms": "1200000001000"}]) * 5_000)
    clock = iter(range(0, 10**6, 4))
    context = Context(monotonic=lambda: next(clock))
    source = ReplaySource.open(Settings({"PRODUCER_REPLAY_FILE": str(path)}), None, context)
    assert "2,000 of the first 2,000 tweets are older" in source.check()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("user_id,text\n1990000000000000301,a\n", None),
        ("number,tweet\n7,a\n", None),
        ("id,text\n7,a\n8,b\n", None),
        ("who,what\n1990000000000000301,1990000000000000302\n", None),
        ("label,what\nhappy,1990000000000000301\nsad,1990000000000000302\n", "column 2: write"),
        ("text,id\na,1230000000000000000\nb,1240000000000000000\n", "column 2, but their last digits are lost"),
        ("text,tweet_id\na,20\nb,1144619\nc,1144620\n", "column 2: write"),
    ],
)
def test_a_table_names_the_column_of_the_tweets_ids_or_none(text: str, said: str | None) -> None:
    table = table_refusal(text.encode(), complete=True)
    assert table is not None
    assert (said or "JSON") in table.advice
    assert ("column" in table.advice) is (said is not None)


def test_a_text_in_which_a_number_stands_is_no_list_of_ids() -> None:
    assert table_refusal(b"I have read\nabout\n12345\npages\nof it.\n", complete=True) is None


def test_an_account_without_long_posts_has_no_texts_that_are_cut_off() -> None:
    found = recognise(b"window.YTD.note_tweet.part0 = [ ]", complete=True)
    assert found is not None
    assert found.name == "another part of an account export"


def test_an_object_with_a_limit_is_no_message_of_the_stream(tmp_path: Path) -> None:
    path = tmp_path / "stream.jsonl"
    others = [{"limit": 50, "items": [tweet(1)]}, {"limit": {"track": 7}, "items": []}, {"warning": "low disk"}]
    message = {"limit": {"track": 7}, "timestamp_ms": str(TIME_MS)}
    path.write_bytes(lines([tweet(0), *others, message]))
    assert [event.cursor for event in sent(opened(path))] == [1, 2, 3, 4]


# --- steps


@settings(max_examples=200)
@given(
    st.lists(
        st.recursive(
            st.none() | st.text() | st.integers() | st.booleans(),
            lambda one: st.lists(one) | st.dictionaries(st.text(), one),
            max_leaves=8,
        ),
        max_size=5,
    ),
    st.sampled_from(["array", "pretty", "joined", "assigned", "commas"]),
    st.integers(1, 40),
)
def test_values_are_the_same_however_the_bytes_arrive(bodies: list[object], form: str, size: int) -> None:
    bodies = [[body] if form in ("joined", "commas") else body for body in bodies]
    objects = [{"x": body} for body in bodies]
    text = {
        "array": json.dumps(objects),
        "pretty": json.dumps(objects, indent=2, ensure_ascii=False),
        "joined": "".join(json.dumps(one) for one in objects),
        "assigned": f"window.YTD.tweets.part0 = {json.dumps(objects)};\n",
        "commas": ",\r\n".join(json.dumps(one) for one in objects),
    }[form]
    content = text.encode("utf-8", "surrogatepass")
    pieces = [content[begin : begin + size] for begin in range(0, len(content), size)]
    found = [line for line in values(pieces, "x") if line is not None]
    assert [json.loads(line.raw) for line in found] == objects
    assert [line.number for line in found] == list(range(1, len(objects) + 1))


@settings(max_examples=500)
@given(
    st.binary(max_size=300) | st.sampled_from(SAMPLES).map(lambda sample: sample.content),
    st.integers(0, 300),
    st.binary(max_size=4),
)
def test_any_bytes_have_a_format(content: bytes, place: int, added: bytes) -> None:
    head = content[:place] + added + content[place:]
    assert recognise(head, complete=True) is not None
    recognise(head, complete=False)


@settings(max_examples=300)
@given(
    st.sampled_from(READ).map(lambda sample: sample.content),
    st.integers(0, 2000),
    st.integers(0, 3),
    st.binary(max_size=3),
)
def test_damaged_records_never_raise(content: bytes, place: int, removed: int, added: bytes) -> None:
    place %= len(content) + 1
    for line in (content[:place] + added + content[place + removed :]).splitlines():
        list(read_all(line, 1))


def test_values_pass_on_that_nothing_has_come_yet() -> None:
    found = list(values([None, b'[{"a":1}', None, b',{"a":2}]', None], "x"))
    assert [one and one.raw for one in found] == [None, None, None, b'{"a":1}', b'{"a":2}']


def test_a_value_that_only_python_reads_keeps_its_bytes() -> None:
    (line,) = filter(None, values([b'{"a":\r\n"caf\xe9",\n"x": NaN}'], "x"))
    assert line.raw == b'{"a":  "caf\xe9", "x": NaN}'


def test_an_array_without_an_end_yields_what_it_has() -> None:
    found: list[Line | None] = []
    with pytest.raises(TruncatedError, match=r"^x is truncated after record 1$"):
        found.extend(values([b'[{"a":1},{"a":'], "x"))
    assert [line and line.raw for line in found] == [b'{"a":1}']


def test_containers_wait_for_their_bytes() -> None:
    for content in (tarred({"a": b"x", "b": b"y"}), zipped({"a": b"x", "b": b"y"})):
        pieces = [None, content[:100], None, content[100:], None]
        found = [
            (text.name, b"".join(chunk for chunk in text.chunks if chunk)) if text else None
            for text in texts("c", iter(pieces), lambda _: True)
        ]
        assert [one for one in found if one] == [("c/a", b"x"), ("c/b", b"y")]


def test_a_long_first_record_is_looked_at_whole(tmp_path: Path) -> None:
    path = tmp_path / "page.json"
    body = page_v2(range(COUNT))
    body["data"][0]["context"] = "x" * 500_000
    path.write_text(json.dumps(body, indent=1))
    assert [event.key.decode() for event in sent(opened(path))] == IDS


def test_a_damaged_line_of_a_file_in_utf8_is_rejected_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "tweets.jsonl"
    damaged = lines([tweet(0)]).replace(b"number", b"num\xffber")
    whole = "".join(json.dumps(tweet(number), ensure_ascii=False) + "\n" for number in range(COUNT)).encode()
    for content, count in ((damaged + whole, 1), (V1 + damaged, 1), (damaged * 2 + whole, 2)):
        path.write_bytes(content)
        caplog.clear()
        events = sent(opened(path))
        assert [event.key.decode() for event in events if not event.key.startswith(b"line-")] == IDS
        assert len(events) == COUNT + count
        assert f"tweets.jsonl: records that are not in UTF-8, and so rejected: {count}; convert it" in caplog.text


def test_lines_of_numbers_in_a_long_first_record_are_no_ids(tmp_path: Path) -> None:
    path = tmp_path / "tweets.json"
    body = {"indices": [0, 7]} | tweet(0) | {"more": list(range(100_000))}
    path.write_text("\n".join(json.dumps(one, indent=1) for one in (body, tweet(1), tweet(2))))
    assert [event.key.decode() for event in sent(opened(path))] == IDS


def test_a_growing_file_is_recognised_again(tmp_path: Path) -> None:
    path = tmp_path / "tweets.jsonl"
    path.write_bytes(lines([tweet(0)]))
    source = opened(path)
    saved = after(source, sent(source))
    with path.open("ab") as file:
        file.write(lines([tweet(1)]))
    os.utime(path, (time.time(), time.time()))
    assert [event.key.decode() for event in sent(opened(path, saved))] == IDS[1:2]


def test_numbers_and_times_of_mongoexport_are_plain_in_the_tweet(tmp_path: Path) -> None:
    quick = tweet(1) | {"retweet_count": {"$numberInt": "3"}}
    for number, body in enumerate((mongo(1), quick)):
        path = tmp_path / f"{number}.json"
        path.write_bytes(lines([body | {"_id": {"$oid": "x"}}]))
        [event] = posts(sent(opened(path)))
        value = json.loads(event.value)
        assert (value["id"], value["retweet_count"], value["_id"]) == (FIRST_ID + 1, 3, {"$oid": "x"})
        got = read_tweet(event.value, TIME_MS, TimeBounds())
        assert isinstance(got, Tweet)
        assert got.event_time_ms // 1000 == TIME_MS // 1000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"$date": "2026-11-18T11:00:00Z"}, "2026-11-18T11:00:00Z"),
        ({"$date": 1000}, "1970-01-01T00:00:01+00:00"),
        ({"$date": {"$numberLong": "1000"}}, "1970-01-01T00:00:01+00:00"),
        ({"$numberDouble": "1.5"}, 1.5),
        ([{"$numberInt": "3"}], [3]),
        ({"$numberLong": "x"}, {"$numberLong": "x"}),
        ({"$date": None}, {"$date": None}),
        ({"$oid": "x"}, {"$oid": "x"}),
        ({"$numberInt": "3", "more": 1}, {"$numberInt": "3", "more": 1}),
        ("$AAPL", "$AAPL"),
    ],
)
def test_extended_json_becomes_plain(value: object, expected: object) -> None:
    assert plain(value) == expected


def test_actions_of_the_bulk_api_may_leave_out_the_index(tmp_path: Path) -> None:
    path = tmp_path / "bulk.jsonl"
    places: tuple[dict, ...] = ({"index": {"_id": "1"}}, {"index": {}}, {"create": {"routing": "x", "_id": "1"}})
    path.write_bytes(b"".join(lines([place, tweet(number)]) for number, place in enumerate(places)))
    assert [event.key.decode() for event in sent(opened(path))] == IDS
    deletions = [{"delete": {"_id": "1"}}, {"delete": {"status": {"id": 7, "user_id": 5}}}, {"delete": {}}]
    path.write_bytes(lines([tweet(0), *deletions, {"index": {"name": "x"}}]))
    assert [event.key[:5] for event in sent(opened(path))] == [IDS[0][:5].encode(), b"7", b"line-", b"line-"]


def test_actions_of_the_bulk_api_alone_are_no_tweets(tmp_path: Path) -> None:
    path = tmp_path / "bulk.jsonl"
    path.write_bytes(lines([{"create": {"_index": "logs"}}, {"message": "x"}] * 3))
    with pytest.raises(ConfigurationError, match="not a file of tweets but"):
        opened(path)
