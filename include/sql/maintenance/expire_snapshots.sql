-- Expires old snapshots and deletes the files that only they need. The newest ones stay whatever their age: a stream
-- that was down looks there for its last commit, so that it does not repeat a batch.
CALL {catalog}.system.expire_snapshots(
    table => :table,
    older_than => :older_than,
    retain_last => :retain_last
)
