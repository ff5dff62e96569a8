"""What the hub decides: where a case lies, what it is, who owns the work. Knows `canonical` only."""
