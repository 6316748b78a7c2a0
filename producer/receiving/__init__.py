"""What the sources share: connections held by the networks' rules, lines, gaps, the queue behind a socket."""
