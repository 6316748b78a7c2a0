"""From a raw tweet to its document: topics, sentiment, and the streaming query."""
