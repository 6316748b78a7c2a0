"""Breaks the running speed layer on purpose, and checks that nothing is lost or doubled. `make faults`."""
