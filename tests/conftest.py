"""Shared fixtures. `shared` is the reference data beside the checkout; a public clone has none."""
