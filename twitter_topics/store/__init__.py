"""Clients of the stores, without Spark: S3, Elasticsearch, InfluxDB, Kafka, the archive's metadata."""
