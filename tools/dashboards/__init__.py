"""Dashboards of Grafana and Kibana as code. `make dashboards` writes them to `dashboards/`."""
