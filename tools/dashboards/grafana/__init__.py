"""Grafana: dashboards over InfluxDB and Elasticsearch, and alert rules."""
