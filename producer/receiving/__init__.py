"""What the sources share: connections that follow the networks' rules, lines, gaps, the queue behind a socket."""
