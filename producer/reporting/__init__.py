"""How a producer reports: health, metrics, the terminal line, the gap ledger."""
