"""An event loop in a thread, for callers that have none: what is written once, for asyncio, serves both."""

import asyncio
import os
import sys
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_running: tuple[int, asyncio.AbstractEventLoop] | None = None
"""The process it runs in, and the loop; made when it is first needed, one for all connectors."""


def run(job: Coroutine[Any, Any, T]) -> T:
    """Do this on that loop and wait for its end. Safe to call from any thread but the loop's own."""
    return asyncio.run_coroutine_threadsafe(job, _loop()).result()


def _loop() -> asyncio.AbstractEventLoop:
    global _running  # noqa: PLW0603 - one for the process
    with _lock:
        if _running is None or _running[0] != os.getpid():
            loop = _new_loop()
            threading.Thread(target=loop.run_forever, name="connectors", daemon=True).start()
            _running = os.getpid(), loop
        return _running[1]


def _new_loop() -> asyncio.AbstractEventLoop:
    """The same kind as the hub's own."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()
