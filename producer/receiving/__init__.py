"""What the sources share: connections by the networks' rules, lines, fields, gaps, the queue behind a socket."""
