"""Values of the Kafka topics: tweets, processed tweets, notices, gaps, dead letters; the measurements of InfluxDB."""
