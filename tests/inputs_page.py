"""docs/inputs.md: which files can be replayed. `python -m tests.inputs_page` writes it; a test compares.

Each row is a run of the real replay source over a file of `tests.input_files`.
"""

from __future__ import annotations

import logging
import tempfile
from itertools import groupby
from pathlib import Path

from producer.source import Context, Event
from producer.sources.replay import ReplaySource
from tests.input_files import SAMPLES, Sample
from tests.input_forms import TIME_MS
from twitter_topics.errors import ConfigurationError
from twitter_topics.settings import PROJECT, Settings

PAGE = PROJECT / "docs" / "inputs.md"

HEAD = """# Files that can be replayed

`PRODUCER_SOURCE=replay` looks at what is in a file, never only at its name, and sends nothing before it knows the
format. `twitter-topics replay FILE…` replays files directly; `twitter-topics sources check replay` shows what would be
sent. This page is written by `python -m tests.inputs_page`, which replays a made-up file of each kind; a test compares
it with a new run.

- v1.1 tweets are sent byte for byte (a tweet over several lines on one line); other forms are mapped to the same
  fields, with the original under `source_payload`. `delete`, `status_withheld` and similar messages become deletion
  notices; `limit` and `warning` are counted and logged, as in a live stream.
- An edit on X has an id of its own. Where a post names its versions, as in API v2, the enterprise APIs, account exports
  and X's website, each but the first is sent as an edit of the first, with its id and time.
- **Folders and archives**: everything in them is looked at, except names that begin with `.` or `_` and files still
  being written (`.tmp`, `.part`). Links to folders, and links in archives, are not followed. What is not read is counted
  and named, with the reason, before anything is sent (of the first 300 files; of archives over 64 MiB, up to the first
  member that is read) and at the end.
- **Damage** costs the rest of that file or member: a record in `source_gaps` names it, and the rest is sent.
  `PRODUCER_REPLAY_STRICT=true` (`--strict`) stops there instead.
- **Old tweets**: how many are older than `SPEED_MAX_AGE_DAYS`, and what to set, is reported before anything is sent.
  They are counted if one of the first 2,000 is too old, for at most ten seconds. The setting belongs to the streaming
  apps: change it and restart the stack; a producer cannot change it. `twitter-topics up --whole-history` (or `demo`)
  starts the apps with limits that reach the oldest tweet, for that run.
- **Memory is bounded** whatever the file: a line, an object or an element of an array has at most 16 MiB (a longer line
  is a dead letter, a longer value damage); decompression yields at most 32 MiB at once, and zstd windows may have
  128 MiB. A zip inside another file or in a bucket is copied to the disk first.
- A restart continues after the last acknowledged tweet, in the middle of an array, a page or an archive too. Of a
  folder, files whose names sort before the one at that place count as sent. How many is reported before anything is
  sent; those added or changed since the last run began are named as not read.

## Fields of a record
| field | read | rejected |
|---|---|---|
| `id_str`, else `id` | text, or a whole number | a float, as text too (`1.99E+18`): its last digits are lost; words for a missing id (`nan`, `None`) |
| `full_text`, else `text` | the one that is there; an empty `full_text` gives way; a retweet has the text of the original | neither is text |
| `timestamp_ms`, else `created_at` | milliseconds; Twitter's format, ISO 8601 (also with ` UTC` at the end) and RFC 2822 with a time of day, Unix seconds or milliseconds since Twitter's first day (2006-03-21); without an offset UTC | anything else; older than `SPEED_MAX_AGE_DAYS`, or more than `SPEED_MAX_FUTURE_MINUTES` ahead |
| `user.id_str`, else `user.id` | as for tweets | never: without one, deletions of the account do not reach the tweet |
| counts | numbers, also as text | never: an unusable one counts as 0 |
| `entities` | those of the text that is read: `extended_tweet`'s, the original's; without them the text is searched | never |
| `lang` | its code without region; if it names none, the text is read; else `und` | never |
"""  # noqa: E501


def replayed(sample: Sample, folder: Path, **settings: str) -> tuple[list[Event], str]:
    """Replay a file; return its events and the sentence, in which the folder is left out."""
    path = folder / sample.name
    path.write_bytes(sample.content)
    given = Settings({"PRODUCER_REPLAY_FILE": str(path), **settings})
    context = Context(now_ms=lambda: TIME_MS)
    try:
        source = ReplaySource.open(given, None, context)
        return [event for event in source.events() if event is not None], source.check().replace(f"{folder}/", "")
    except ConfigurationError as error:
        return [], str(error).replace(f"{folder}/", "")


def page() -> str:
    """Return the page, from new runs."""
    parts = [HEAD]
    with tempfile.TemporaryDirectory() as folder:
        for (is_read, group), samples in groupby(SAMPLES, lambda one: (not one.rejected, one.group)):
            if is_read:
                parts.append(f"\n## Read: {group}\n| file | tweets in | out | recognised as |\n|---|---|---|---|\n")
            else:
                parts.append(f"\n## Rejected: {group}\n| file | message |\n|---|---|\n")
            parts += [_row(sample, Path(folder)) for sample in samples]
    return "".join(parts)


def _row(sample: Sample, folder: Path) -> str:
    events, sentence = replayed(sample, folder)
    if sample.rejected:
        message = sentence.removeprefix("PRODUCER_REPLAY_FILE: ").replace("|", "\\|")
        return f"| {sample.title} | {message} |\n"
    out = [event for event in events if event.kind == "post"]
    recognised = sentence.split(", ", 2)[2].partition(", the first tweet of")[0]
    return f"| {sample.title} (`{sample.name}`) | {len(sample.ids)} | {len(out)} | {recognised} |\n"


if __name__ == "__main__":
    logging.disable()
    PAGE.write_text(page(), encoding="utf-8")
