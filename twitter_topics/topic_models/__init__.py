"""Topic models: scoring, training, and the registry between them."""
