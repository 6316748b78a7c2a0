"""Applications that Spark runs. They wire: what they do lives in twitter_topics."""
