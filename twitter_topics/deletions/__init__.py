"""Deletions by authors and networks: collected, published and applied."""
