-- Puts the small files of closed hours together. Safe beside the appending stream: an append never conflicts.
-- An hour is rewritten when it has at least so many files; an hour that is compact already is left alone.
CALL {catalog}.system.rewrite_data_files(
    table => 'tweets.raw',
    strategy => 'binpack',
    where => :closed,
    options => map('min-input-files', :min_files, 'max-concurrent-file-group-rewrites', '2')
)
