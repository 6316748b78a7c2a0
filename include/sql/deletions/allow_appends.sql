-- With snapshot isolation a merge conflicts only on rows that it rewrites, not with rows that the stream appends.
-- Copy-on-write, because row counts from metadata must stay exact, and because the text must disappear from the files
-- themselves.
ALTER TABLE {catalog}.tweets.raw SET TBLPROPERTIES (
    'write.merge.mode' = 'copy-on-write',
    'write.merge.isolation-level' = 'snapshot'
)
