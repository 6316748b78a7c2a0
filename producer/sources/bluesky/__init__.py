"""Bluesky: free, live, no key. Everything public on the network, as Jetstream sends it."""

from producer.sources.bluesky.source import BlueskySource

__all__ = ["SOURCE", "BlueskySource"]

SOURCE = BlueskySource
