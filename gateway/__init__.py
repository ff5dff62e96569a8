"""Doors, workers, command line, settings and wiring. The only room that knows all the others."""
