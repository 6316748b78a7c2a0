"""Reads the first posts of a source, in the same way as the producer."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.live import Live
from rich.markup import escape

from producer.source import Context, Source
from producer.sources import open_source
from producer.status import Spend
from twitter_topics.cli.screen import clean, say, screen, table
from twitter_topics.records.content import Content
from twitter_topics.records.times import post_time
from twitter_topics.records.tweet import Rejection, TimeBounds, read_tweet

if TYPE_CHECKING:
    from producer.source import Event
    from twitter_topics.settings import Settings

_TEXT_SHOWN = 100
_REASONS_SHOWN = 3
_ANY_TIME = TimeBounds(2**63, 2**63)


@dataclass(frozen=True, slots=True)
class Post:
    """The displayed fields of a post. `time` is in UTC, `text` is one line."""

    time: str
    user: str
    lang: str
    text: str


@dataclass
class Result:
    """The result: the source's sentence, its posts, events by kind, why reading ended, and, by reason, how many records
    are not tweets."""

    source: str
    sentence: str
    posts: list[Post] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    ending: str = ""
    spend: Spend | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return a form that can be printed as JSON."""
        posts = [{"time": post.time, "user": post.user, "lang": post.lang, "text": post.text} for post in self.posts]
        return {
            "source": self.source,
            "sentence": self.sentence,
            "posts": posts,
            "events": dict(self.events),
            "rejected": dict(self.rejected),
            "ending": self.ending,
        }


def check(
    settings: Settings, name: str, posts: int, seconds: float, *, quiet: bool, context: Context | None = None
) -> Result:
    """Open a source, ask it whether it will serve us, and read its first posts.

    Args:
        posts, seconds: stop after this many posts or this time, whichever comes first.
        quiet: show nothing while reading.

    Raises:
        ConfigurationError, RetryableError: from the source.
    """
    context = context or Context()
    source = open_source(settings, name, None, context)
    try:
        result = Result(name, source.check())
        if not quiet:
            say(f"{name}: {result.sentence}")
        with nullcontext(_ignore) if quiet else _growing_table() as show:
            _read(source, context, result, posts, context.monotonic() + seconds, show)
        result.ending = (result.ending or _ending_sentence(result, context, seconds)) + _rejected_sentence(result)
        result.spend = context.status.spend
    finally:
        context.stop.set()
        source.close()
    return result


def _read(
    source: Source, context: Context, result: Result, posts: int, until: float, show: Callable[[Post], None]
) -> None:
    for event in source.events():
        if event is not None:
            rejection = _rejection(event)
            if rejection:
                result.rejected[rejection] += 1
            else:
                result.events[event.kind] += 1
            if event.kind == "post" and not rejection:
                result.posts.append(post := _post(event))
                show(post)
        if len(result.posts) >= posts:
            result.ending = f"{len(result.posts)} posts: it works"
            return
        if context.monotonic() >= until:
            return
    result.ending = f"the source ended after {len(result.posts)} posts"


def _ending_sentence(result: Result, context: Context, seconds: float) -> str:
    status = context.status
    why = status.sentence or ("connected, but quiet" if status.connected else "not connected yet")
    other = ", ".join(f"{count} {kind}" for kind, count in result.events.items() if kind != "post")
    came = f"{len(result.posts)} posts" if result.posts else "no posts"
    return f"{came} in {seconds:g} s ({why})" + (f"; other events: {other}" if other else "")


def _rejection(event: Event) -> str:
    """Return why the classifier would reject a post; empty for tweets and for other events."""
    if event.kind not in ("post", "edit"):
        return ""
    tweet = read_tweet(event.value, 0, _ANY_TIME)
    return clean(tweet.reason) if isinstance(tweet, Rejection) else ""


def _rejected_sentence(result: Result) -> str:
    count = result.rejected.total()
    if not count:
        return ""
    reasons = ", ".join(reason for reason, _ in result.rejected.most_common(_REASONS_SHOWN))
    return f"; {count:,} {'record is not a tweet' if count == 1 else 'records are not tweets'} ({reasons})"


def _post(event: Event) -> Post:
    body = json.loads(event.value)
    user = body.get("user")
    name = user.get("screen_name") if isinstance(user, dict) else ""
    moment = post_time(body)
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment / 1000)) if moment is not None else ""
    content = Content(body)
    return Post(at, clean(str(name or "")), clean(content.language.code), _short(content.text))


def _short(text: str) -> str:
    line = clean(text)
    return line if len(line) <= _TEXT_SHOWN else line[: _TEXT_SHOWN - 1] + "…"


def _ignore(_post: Post) -> None: ...


@contextmanager
def _growing_table() -> Iterator[Callable[[Post], None]]:
    """Show each post in a table as it arrives; if the output is not a terminal, at the end."""
    made = table("time (UTC)", "user", "lang", "text")

    with Live(made, console=screen, auto_refresh=False) as live:

        def show(post: Post) -> None:
            made.add_row(post.time, *(escape(text) for text in (post.user, post.lang, post.text)))
            live.refresh()

        yield show
