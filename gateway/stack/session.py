"""One session with the stack: start, show, wait for the end or Ctrl-C, drain, stop; do the books balance?"""

import asyncio
import signal
import threading
import time
from types import FrameType
from typing import Any

import httpx

from gateway.hub import clock
from gateway.settings import driver_url
from gateway.stack.run import Stack
from gateway.stack.supervisor import NotUp, State
from gateway.stack.view import StackView
from gateway.views import View, books_view
from storage.casebook import Casebook
from storage.store import Store

DRAIN = 60.0
"""Seconds at most for what is on its way when a bounded run ends."""
_TICK = 0.5


def run(stack: Stack, view: StackView, *, seconds: float | None) -> dict[str, Any]:
    """Run it for so long, or until Ctrl-C. What was seen, and the books when everything stood still."""
    over = threading.Event()
    before = {number: signal.signal(number, _telling(over)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with stack:
            for part in stack.start():
                view.say(f"starting {part} ...")
                if over.is_set():
                    raise NotUp("told to stop before everything was up")
            _welcome(stack, view)
            _watch(stack, view, over, seconds)
            drained = seconds is not None and not over.is_set() and _drain(stack, view)
            view.end()
            view.say("stopping ...")
            restarts = {row.name: row.restarts for row in stack.supervisor.status() if row.restarts}
            down = [row.name for row in stack.supervisor.status() if row.state is not State.UP]
            _stop_the_hub(stack)
            books = asyncio.run(_books(stack.database_url))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return {"restarts": restarts, "not_up": down, "drained": drained, **books}


def _telling(over: threading.Event) -> Any:  # noqa: ANN401 a signal handler
    def handler(_number: int, _frame: FrameType | None) -> None:
        over.set()

    return handler


def _welcome(stack: Stack, view: StackView) -> None:
    for part in stack.missing:
        view.say(f"{part} is not installed: the stack runs without it")
    view.say(f"console {stack.gateways[0]}/console/")
    view.say(f"gateways {', '.join(stack.gateways)}; centre's token in {stack.folder / 'centre-token'}; Ctrl-C stops")


def _watch(stack: Stack, view: StackView, over: threading.Event, seconds: float | None) -> None:
    until = time.monotonic() + seconds if seconds is not None else None
    while not over.is_set() and (until is None or time.monotonic() < until):
        view.show(stack.supervisor.status(), _figures(stack, until))
        over.wait(_TICK)


def _figures(stack: Stack, until: float | None) -> str:
    left = f"{max(0.0, until - time.monotonic()):.0f} s left; " if until is not None else ""
    summary = _summary(stack)
    if summary is None:
        return f"{left}no gateway answers"
    reports, messages = summary["reports"], summary["messages"]
    return (
        f"{left}{reports['in']} reports in, {summary['cases']['all']} cases, {summary['cases']['closed']} closed, "
        f"{messages['acknowledged']}/{messages['all']} sent, {messages['parked']} parked"
    )


def _summary(stack: Stack) -> View | None:
    for number in range(len(stack.gateways)):
        try:
            summary: View = stack.ask("/api/summary", number)
        except (httpx.HTTPError, ValueError):
            continue
        return summary
    return None


def _drain(stack: Stack, view: StackView) -> bool:
    """True when nothing waits and nobody works any more: seen twice, for what is between two of them."""
    stack.quiet()
    before = False
    until = time.monotonic() + DRAIN
    while time.monotonic() < until:
        summary = _summary(stack)
        view.show(stack.supervisor.status(), "draining 收尾")
        still = summary is not None and summary["messages"]["waiting"] == 0 and not stack.busy()
        if still and before:
            return True
        before = still
        time.sleep(_TICK)
    return False


def _stop_the_hub(stack: Stack) -> None:
    """Sources first, so that nobody pushes at closing doors; then workers, then gateways; the database not yet."""
    for group in stack.groups():
        stack.supervisor.stop(*group)


async def _books(url: str) -> View:
    store = Store(driver_url(url))
    try:
        return books_view(await Casebook(store).books(clock()))
    finally:
        await store.close()
