"""What the hub decides: intake, locate, classify, duplicates, responsibility, dispatch. Pure and synchronous."""
