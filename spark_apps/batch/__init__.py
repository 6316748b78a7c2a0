"""Jobs that Airflow submits. Each one ends, and each may be repeated."""
