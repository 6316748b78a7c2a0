"""Follows a source of posts and sends every one of them to Kafka."""
