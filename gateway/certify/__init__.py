"""Certification: a connected platform played through a pack of scenarios against a private hub, and graded."""
