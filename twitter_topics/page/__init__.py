"""The page "Topics": what it shows, and the app that serves it inside Airflow."""
