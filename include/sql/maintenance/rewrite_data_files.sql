-- Merges the small files of closed hours. Safe while the stream appends: an append never conflicts.
-- An hour is rewritten when it has at least :min_files files; a compact hour is left alone.
CALL {catalog}.system.rewrite_data_files(
    table => 'tweets.raw',
    strategy => 'binpack',
    where => :closed,
    options => map('min-input-files', :min_files, 'max-concurrent-file-group-rewrites', '2')
)
