"""Clients of Kafka, S3, SQL databases, InfluxDB, X and Spark, and their retries. No business rules about tweets."""
