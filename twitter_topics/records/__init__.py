"""Values of the Kafka topics: tweets, processed tweets, deletion notices, gaps, dead letters."""
