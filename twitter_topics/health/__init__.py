"""Health reports of the running parts, and the problems found in them."""
