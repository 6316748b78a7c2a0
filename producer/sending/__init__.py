"""To Kafka, through its absences."""
