"""The command twitter-topics."""
