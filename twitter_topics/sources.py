"""The sources that a producer can follow, each registered here and nowhere else.

The code of the source `name` is the class that the module `producer.sources.<name>` exports as `SOURCE`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A source as users see it.

    Attributes:
        name: as in PRODUCER_SOURCE.
        what: the posts it delivers, in a few words.
        costs: what those cost.
        needs: the settings that must be set.
        settings: prefixes of the settings it reads besides those of every producer; the local stack hides all others.
    """

    name: str
    what: str
    costs: str
    needs: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


_ALL = (
    SourceInfo("synthetic", "tweets made up from a seed, to try things out", "nothing"),
    SourceInfo(
        "replay",
        "files of tweets in many formats, an S3 prefix, or the archive",
        "nothing",
        needs=("PRODUCER_REPLAY_FILE",),
        settings=("S3_", "ARCHIVE_"),
    ),
    SourceInfo("bluesky", "Bluesky's public posts, live", "nothing, no account needed", settings=("BLUESKY_",)),
    SourceInfo(
        "mastodon",
        "public posts that reach one Mastodon server, live",
        "nothing; the token needs an account there",
        needs=("MASTODON_ACCESS_TOKEN",),
        settings=("MASTODON_",),
    ),
    SourceInfo(
        "x_v2",
        "X, live: posts that match the rules in X_RULES_FILE",
        "each post and author read (X_DOLLARS_PER_POST, X_DOLLARS_PER_USER), up to the caps X_*_CAP_*",
        needs=("X_BEARER_TOKEN",),
        settings=("X_",),
    ),
    SourceInfo(
        "twitter_v1",
        "any server that speaks Twitter's v1.1 stream; Twitter's own closed in 2023",
        "depends on the server",
        needs=(
            "TWITTER_CONSUMER_KEY",
            "TWITTER_CONSUMER_SECRET",
            "TWITTER_ACCESS_TOKEN",
            "TWITTER_ACCESS_TOKEN_SECRET",
        ),
        settings=("TWITTER_",),
    ),
)
SOURCES = {info.name: info for info in _ALL}
"""By name."""
