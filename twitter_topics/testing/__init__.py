"""Fakes that pass the tests of the real stores."""
