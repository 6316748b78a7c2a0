"""Between receiving and sending: on disk for what cannot be asked for again, in memory for the rest."""
