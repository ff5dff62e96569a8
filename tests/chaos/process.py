"""One of the hub's processes as the campaign starts it: the product's own command, with a clock that can be stepped.

    python -m tests.chaos.process serve --port 8080 --no-work

CHAOS_CLOCK names a file that holds the seconds by which this process's clock is wrong; the hub reads its clock through
one function, which is replaced here. CHAOS_PLANT names one of the planted bugs that the campaign must find. Nothing of
this is in the product.
"""

import os
from collections.abc import Callable
from datetime import datetime, timedelta

from tests.chaos.planted import PLANTS


def stepped(path: str) -> Callable[[], datetime]:
    """The wall clock, wrong by what the file says just now."""
    import gateway.hub

    right, file = gateway.hub.clock, os.open(path, os.O_RDONLY)

    def clock() -> datetime:
        said = os.pread(file, 32, 0).strip()
        return right() + timedelta(seconds=float(said or b"0"))

    return clock


def main() -> None:
    """Become the command."""
    import gateway.hub
    from gateway.cli.main import main as gridhub

    clock, plant = os.environ.get("CHAOS_CLOCK"), os.environ.get("CHAOS_PLANT")
    if clock:
        gateway.hub.clock = stepped(clock)
    if plant:
        PLANTS[plant]()
    gridhub()


if __name__ == "__main__":
    main()
