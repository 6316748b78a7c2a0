"""Fakes that pass the tests of the real stores, and private servers for tests."""
