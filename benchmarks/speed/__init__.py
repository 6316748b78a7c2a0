"""How many tweets per second the speed layer takes, and what they cost."""
