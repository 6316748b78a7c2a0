-- A merge then minds only rows that it rewrites: what the stream appends meanwhile is no conflict.
-- Copy-on-write, because a row count by metadata must stay a count of rows, and because the text must be gone from the
-- files themselves.
ALTER TABLE {catalog}.tweets.raw SET TBLPROPERTIES (
    'write.merge.mode' = 'copy-on-write',
    'write.merge.isolation-level' = 'snapshot'
)
