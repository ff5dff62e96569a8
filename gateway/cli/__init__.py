"""The command line. Every command imports what it needs when it runs, so that --help is quick."""

import gc

gc.set_threshold(
    50_000, 50, 50
)  # what is imported lives for ever: looking at it again and again is a seventh of a start

from gateway.cli.main import main  # noqa: E402

__all__ = ["main"]
