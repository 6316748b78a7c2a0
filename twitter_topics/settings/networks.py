"""Settings of the networks that producers follow."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from twitter_topics.settings.env_file import Section, section_config
from twitter_topics.settings.values import HttpUrl, PathOrUrl, check_url


class TwitterSettings(Section):
    """Credentials and filter of a v1.1 stream."""

    model_config = section_config("TWITTER_")

    consumer_key: SecretStr = Field(SecretStr(""), description="OAuth 1.0a credential")
    consumer_secret: SecretStr = Field(SecretStr(""), description="OAuth 1.0a credential")
    access_token: SecretStr = Field(SecretStr(""), description="OAuth 1.0a credential")
    access_token_secret: SecretStr = Field(SecretStr(""), description="OAuth 1.0a credential")
    track: str = Field("", description="comma-separated phrases")
    languages: str = Field("", description="comma-separated BCP 47 codes")
    stream_url: HttpUrl = Field("https://stream.twitter.com/1.1", description="base URL of the stream")
    api_url: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="base of account/verify_credentials.json; empty = TWITTER_STREAM_URL with api. instead of stream.",
    )

    @field_validator("api_url")
    @classmethod
    def _url(cls, value: str) -> str:
        return check_url(value)


class XSettings(Section):
    """X API v2: the filtered stream, its rules and spending caps."""

    model_config = section_config("X_")

    bearer_token: SecretStr = Field(SecretStr(""), description="app-only bearer token of a paid project")
    api_url: HttpUrl = Field("https://api.x.com", description="base URL of the API")
    rules_file: PathOrUrl = Field(
        "", description="YAML file of stream rules; `twitter-topics sources rules` applies it"
    )
    backfill_minutes: int = Field(0, ge=0, le=5, description="minutes to request after a short gap; Enterprise only")
    daily_cap_posts: int = Field(0, ge=0, description="maximum posts per UTC day; 0 = no cap")
    monthly_cap_posts: int = Field(0, ge=0, description="maximum posts per UTC month; 0 = no cap")
    monthly_cap_dollars: float = Field(50.0, ge=0, description="maximum spending per UTC month; 0 = no cap")
    dollars_per_post: float = Field(0.005, ge=0, description="price per post read (pay-per-use, 2026)")
    dollars_per_user: float = Field(0.01, ge=0, description="price per user read: an author delivered with a post")
    authors: bool = Field(True, description="request each post's author (name and followers) at the price of a user")
    compliance: bool = Field(False, description="let tweet_deletions ask X daily which archived tweets no longer exist")


class BlueskySettings(Section):
    """Bluesky's Jetstream: free, live, no key."""

    model_config = section_config("BLUESKY_")

    hosts: str = Field(
        "wss://jetstream1.us-east.bsky.network,wss://jetstream2.us-east.bsky.network,"
        "wss://jetstream1.us-west.bsky.network,wss://jetstream2.us-west.bsky.network",
        pattern=r"^wss?://[^\s,@]+(,wss?://[^\s,@]+)*$",
        description="tried in this order; fails over to the next when one is down",
    )
    wire: Literal["v1", "v2"] = Field("v1", description="protocol version; v2 reports a cursor that is too old")
    collections: str = Field("app.bsky.feed.post", description="comma-separated; only posts become tweets")
    languages: str = Field(
        "", description="comma-separated BCP 47 codes; empty = all, including posts without a language"
    )
    dids: str = Field("", description="comma-separated accounts; empty = all")
    compress: bool = Field(True, description="v1: permessage-deflate, v2: zstd with the host's dictionary")
    rewind_seconds: int = Field(5, ge=0, le=3600, description="seconds to rewind after changing host")


class MastodonSettings(Section):
    """A Mastodon server's streaming API. Needs a token since 4.2."""

    model_config = section_config("MASTODON_")

    url: HttpUrl = Field("https://mastodon.social", description="URL of the server")
    access_token: SecretStr = Field(SecretStr(""), description="token of an account there, with scope read:statuses")
    stream: str = Field(
        "public",
        pattern=r"^(public|public/local|public/remote|hashtag/\w+|hashtag/local/\w+)$",
        description="public, public/local, public/remote, hashtag/NAME, hashtag/local/NAME",
    )
    languages: str = Field("", description="comma-separated codes; empty = all")
