"""Replay: planned and counted first, each item once."""
