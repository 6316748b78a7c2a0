"""What all DAGs share: the Spark operator, schedules and assets."""
