"""Topic models: the code that scores, the code that trains, and the registry between them."""
