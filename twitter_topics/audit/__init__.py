"""The audit: reads the stores themselves, never the apps' own counters."""
