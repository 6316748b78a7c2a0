"""How to reach the backends: Kafka, S3, SQL and Spark. Nothing here knows of tweets."""
