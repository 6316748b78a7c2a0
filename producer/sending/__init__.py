"""Sends to Kafka, and carries on through its outages."""
