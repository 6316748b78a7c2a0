"""What authors and networks took back: asked for, published, and applied."""
