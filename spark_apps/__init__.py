"""Spark applications. They only wire; the logic is in twitter_topics."""
