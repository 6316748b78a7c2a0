"""What is decided, as pure functions: promotion, retention, retraining."""
