"""twitter-topics: finds out what people are talking about, as they talk."""
