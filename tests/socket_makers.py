"""Who made a socket that nobody closed: its garbage is found later, in some other test.

Python tells the place itself only with tracemalloc, under which everything takes twice as long.
"""

import os
import socket
import sys
from types import SimpleNamespace
from typing import Any

_FRAMES = 8
_SKIPPED = ("/socket.py", "/socket_makers.py")
_made: dict[int, tuple[str, list[tuple[str, int]]]] = {}
"""By id of the socket; a later one of the same id takes the place of one that is gone."""


def remember() -> None:
    """From now on each socket of this process is noted, and named when it was left open. Once in a process."""
    first, told = socket.socket.__init__, sys.unraisablehook

    def made(self: socket.socket, *given: Any, **named: Any) -> None:
        first(self, *given, **named)
        frame, places = sys._getframe(1), list[tuple[str, int]]()
        while frame is not None and len(places) < _FRAMES:
            if not frame.f_code.co_filename.endswith(_SKIPPED):
                places.append((frame.f_code.co_filename, frame.f_lineno))
            frame = frame.f_back  # type: ignore[assignment]
        _made[id(self)] = (os.environ.get("PYTEST_CURRENT_TEST", "no test"), places)

    def tell(unraisable: Any) -> None:
        if isinstance(unraisable.object, socket.socket) and id(unraisable.object) in _made:
            test, places = _made[id(unraisable.object)]
            where = " < ".join(f"{file}:{line}" for file, line in places)
            unraisable = SimpleNamespace(
                exc_type=unraisable.exc_type, exc_value=unraisable.exc_value, exc_traceback=unraisable.exc_traceback,
                err_msg=f"A socket made in {test} at {where} was left open. Exception ignored in",
                object=unraisable.object,
            )  # fmt: skip
        told(unraisable)

    socket.socket.__init__ = made  # type: ignore[method-assign]
    sys.unraisablehook = tell
