"""What the parts of the system promise each other: shapes of records, names of tables, keys and series."""
