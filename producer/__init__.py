"""Follows a source of tweets and hands every one of them to Kafka."""
