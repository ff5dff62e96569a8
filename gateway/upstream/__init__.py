"""Other servers' maps in the city: watched, kept for when they are away, and passed on without their token."""
