"""Bluesky: free, live, no key. Everything public that the network writes, as Jetstream sends it."""

from producer.sources.bluesky.source import BlueskySource

__all__ = ["BlueskySource"]
