"""Batch jobs that Airflow submits. Each one ends and can be rerun."""
