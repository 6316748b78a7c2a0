"""What is computed, the same in both layers: text, topics, sentiment, counts."""
