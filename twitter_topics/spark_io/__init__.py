"""Where Spark meets the outside: sessions, Kafka, the archive, models."""
