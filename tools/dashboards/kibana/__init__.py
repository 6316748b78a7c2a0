"""Kibana: saved objects over the daily indices of tweets."""
