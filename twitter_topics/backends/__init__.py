"""Clients of the backends: Kafka, S3, SQL and Spark. Nothing here knows about tweets."""
