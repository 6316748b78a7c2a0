"""Between receiving and sending: on disk for posts that cannot be requested again, in memory for the rest."""
