"""From archived tweets to a new topic model, and its evaluation."""
