"""Starts the hub's processes for the campaign: the product's own commands, forked from a process that has the code.

    python -m tests.chaos.starter CONFIG      orders as JSON lines on standard input, process numbers on standard output

Each is a process of its own, wired after the fork, killed and started again like any other; only reading code and
configuration is done once, which takes longer than everything else at a start. CHAOS_CLOCK in its environment names a
file that holds the seconds by which its clock is wrong: the hub reads its clock through one function, replaced here.
CHAOS_PLANT names one of the planted bugs that the campaign must find. Nothing of this is in the product.
"""

import ctypes
import json
import os
import random
import signal
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from tests.chaos.planted import PLANTS

_DIE_WITH_PARENT = 1


def stepped(path: str) -> Callable[[], datetime]:
    """The wall clock, wrong by what the file says just now."""
    import gateway.hub

    right, file = gateway.hub.clock, os.open(path, os.O_RDONLY)

    def clock() -> datetime:
        said = os.pread(file, 32, 0).strip()
        return right() + timedelta(seconds=float(said or b"0"))

    return clock


def become(arguments: list[str], environment: dict[str, str], log: str) -> NoReturn:
    """In the fork: the command, as if it had been started by itself."""
    import gateway.hub
    from gateway.cli.main import main as gridhub

    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, int(signal.SIGKILL), 0, 0, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    output = os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    for place in (1, 2):
        os.dup2(output, place)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(environment)
    random.seed()
    sys.argv = ["gridhub", *arguments]
    clock, plant = environment.get("CHAOS_CLOCK"), environment.get("CHAOS_PLANT")
    if clock:
        gateway.hub.clock = stepped(clock)
    if plant:
        PLANTS[plant]()
    gridhub()


def load(folder: str) -> None:
    """The code and the configuration, for all that will be forked."""
    import gateway.configuration
    import gateway.database
    import gateway.hub
    import gateway.serve
    import gateway.work

    loaded = gateway.configuration.load(Path(folder), os.environ)

    def known(_folder: Path, _environment: Any) -> Any:
        return loaded

    for module in (gateway.configuration, gateway.hub):
        setattr(module, "load", known)  # noqa: B010 a name that this module only imports


def main() -> None:
    """Fork what is ordered until nobody orders any more; what was forked ends then."""
    load(sys.argv[1])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel takes the dead away
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            try:
                become(order["arguments"], order["environment"], order["log"])
            except SystemExit as end:
                os._exit(end.code if isinstance(end.code, int) else 1)
            except BaseException as error:  # noqa: BLE001 the fork must not go on as its parent
                sys.stderr.write(f"{type(error).__name__}: {error}\n")
                sys.stderr.flush()
                os._exit(1)
        print(child, flush=True)


if __name__ == "__main__":
    main()
