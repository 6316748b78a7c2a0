"""The archive: every raw record once, in an Iceberg table, and its maintenance."""
