"""Try the README's commands on fresh root filesystems of Debian and Ubuntu."""
