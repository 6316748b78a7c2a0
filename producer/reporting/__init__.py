"""What a producer tells: health, metrics, the line in a terminal, the ledger of gaps."""
