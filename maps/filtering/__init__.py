"""Filters: read from FES or CQL2 into one tree (pygeofilter's), and asked of columns."""
