"""The search index: its mapping, its store, and how long it keeps a day."""
