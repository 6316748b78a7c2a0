"""The page "Topics": its data, and the app that serves it inside Airflow."""
