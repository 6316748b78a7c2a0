-- Deletes files that no snapshot names: what a killed job left behind. Iceberg refuses less than 24 hours, because a
-- running job's files look the same.
CALL {catalog}.system.remove_orphan_files(
    table => :table,
    older_than => :older_than
)
