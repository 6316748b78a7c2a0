"""From a text to its topics, the same code in both layers."""
