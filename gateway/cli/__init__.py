"""The command line. Every command imports what it needs when it runs, so that --help is quick."""

from gateway.cli.main import main

__all__ = ["main"]
