"""From a raw tweet to its search document: topics, sentiment, and the streaming query."""
