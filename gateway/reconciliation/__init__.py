"""Reconciliation 对账: what systems have, beside what we have."""
