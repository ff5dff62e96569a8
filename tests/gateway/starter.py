"""The process that tests fork `gridhub` from; see forked.py.

    python -m tests.gateway.starter DESCRIPTOR      orders and answers over the socket with that number

It has read the code, which is most of what a command costs, and nothing else: the command line's own modules, settings
and configuration are read in the fork. What is forked has its own number, environment, folder and standard streams,
dies when it is killed, and leaves an exit code like any other process.
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import Any, NoReturn

LONGEST = 1 << 20
"""Bytes of an order: arguments and environment."""
_STREAMS = 3
_DESCRIPTORS = 4096
"""More than are open here."""
_DIE_WITH_PARENT = 1
_CODE = (
    "gateway.database", "gateway.push", "gateway.serve", "gateway.soap_review", "gateway.work", "rich.table",
    "typer.rich_utils",
)  # fmt: skip
"""Not `gateway.cli`: how wide the terminal is, it reads from the environment when it is imported."""


def serve(orders: socket.socket) -> dict[str, Any]:
    """Fork for each order and tell how each fork ended, until nobody orders any more. Returns in the forks alone."""
    children: dict[int, tuple[int, int]] = {}
    waiting = select.poll()
    waiting.register(orders, select.POLLIN)
    while True:
        for ended, _ in waiting.poll():
            if ended in children:
                number, told = children.pop(ended)
                waiting.unregister(ended)
                _, status = os.waitpid(number, 0)
                with suppress(BrokenPipeError):  # nobody waits for it any more
                    os.write(told, str(os.waitstatus_to_exitcode(status)).encode())
                os.close(told)
                os.close(ended)
                continue
            said, descriptors, _, _ = socket.recv_fds(orders, LONGEST, _STREAMS + 1)
            if not said:
                os._exit(0)
            order: dict[str, Any] = json.loads(said)
            *streams, told = descriptors
            if not (number := _fork(streams, session=order["session"])):
                return order
            handle = os.pidfd_open(number)
            socket.send_fds(orders, [str(number).encode()], [handle])
            children[handle] = number, told
            waiting.register(handle, select.POLLIN)


def _fork(streams: list[int], *, session: bool) -> int:
    """Its number, as soon as it has a session of its own; 0 in the fork, which has these streams and no other."""
    ready, begun = os.pipe()
    if number := os.fork():
        os.close(begun)
        os.read(ready, 1)
        for one in (ready, *streams):
            os.close(one)
        return number
    if session:
        os.setsid()
    for place, one in enumerate(streams):
        os.dup2(one, place)
    os.closerange(_STREAMS, _DESCRIPTORS)
    return 0


def become(order: dict[str, Any]) -> NoReturn:
    """In the fork: the command, as if it had been started by itself."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, int(signal.SIGKILL), 0, 0, 0)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    sys.argv = ["gridhub", *order["arguments"]]
    globals()["__package__"] = None  # else the usage would name this module
    from gateway.cli.main import main as gridhub

    try:
        gridhub()
        code = 0
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise  # a text, to be printed
        code = end.code or 0
    # As the interpreter ends, but for taking down the code that was read: that costs as much as reading it.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def main() -> None:
    """Read the code, and fork what is ordered."""
    for name in _CODE:
        importlib.import_module(name)
    gc.freeze()
    become(serve(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
