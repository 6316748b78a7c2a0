-- Deletes files that no snapshot references, left behind by killed jobs. Iceberg rejects less than 24 hours, because a
-- running job's files look the same.
CALL {catalog}.system.remove_orphan_files(
    table => :table,
    older_than => :older_than
)
