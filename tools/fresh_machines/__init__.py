"""Proves on real root filesystems of Debian and Ubuntu that the README's commands work on a fresh machine."""
