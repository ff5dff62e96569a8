"""Comparing one system at once, outside any worker: for the command line."""

import asyncio
from contextlib import ExitStack

from gateway.configuration import ConnectedSystem
from gateway.hub import Hub
from gateway.reconciliation.run import Reconciler, asked
from gateway.session import Session
from gateway.wiring import connector_for
from storage.statements import Statement

_OTHERS = 1.0
"""Seconds between two looks at a statement that a worker has in hand."""


async def compare_now(hub: Hub, connected: ConnectedSystem, actor: str) -> Statement:
    """A finished statement, ordered by `actor`. Raises Misconfigured without a usable address."""
    with ExitStack() as stack:
        session = None
        if asked(connected):
            connector = connector_for(hub, connected)
            stack.callback(connector.close)
            session = Session(connected.system, connector, hub)
        reconciler = Reconciler(hub, connected, session)
        ordered = await reconciler.order(actor)
        while True:
            pause = await reconciler.round()
            made = await reconciler.statements.get(ordered)
            if made is not None and made.finished_at is not None:
                return made
            if pause:  # a worker has it
                await asyncio.sleep(_OTHERS)
