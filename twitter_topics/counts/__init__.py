"""Tweets per topic: the rolling hour of the stream, and the exact hours of the recount."""
