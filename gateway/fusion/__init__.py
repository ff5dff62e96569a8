"""Modes of fusion as the centre's people see and change them."""
