"""Delivery: lanes, workers' shares, what leaves and how it ends."""
