"""The search index: its mapping, its store and its retention."""
