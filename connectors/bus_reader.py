"""Reading several queues of the bus on the event loop, with acknowledgement by hand.

It must never know what a body means.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from pika import BasicProperties
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.channel import Channel
from pika.spec import Basic

from canonical.errors import HubError, Unavailable
from connectors.amqp_link import BROKEN, Settings, hang_up, ours
from connectors.bus import WHAT, BusAccount, Topology

Token = tuple[Channel, int]
"""What a message is acknowledged by: good for the connection it came over."""

_GOODBYE = 1.0


class BusReader:
    """One connection that reads these queues (name to prefetch); anew by `read` when it broke.

    `heard(queue, body, token)` is called on the loop for each message; whoever has it says `done(token)`. What was not
    said done when the connection breaks comes again, here or elsewhere.
    """

    def __init__(
        self, account: BusAccount, topology: Topology, queues: Mapping[str, int],
        heard: Callable[[str, bytes, Token], None], *, name: str,
    ) -> None:  # fmt: skip
        self._nodes, self._timeout = account.settings(f"gridhub {name}"), account.timeout
        self._topology, self._queues, self._heard = topology, queues, heard
        self._connection: AsyncioConnection | None = None
        self._channel: Channel | None = None
        self._broken: asyncio.Future[BaseException] | None = None
        self._gone: asyncio.Future[None] | None = None
        """Done when nothing is left of the connection."""
        self.connected = False

    async def read(self, stop: asyncio.Event) -> None:
        """Read until `stop` is set or the connection breaks. Raises what `ours` says when it does."""
        try:
            await self._connect()
            self.connected = True
            assert self._broken is not None
            stopped = asyncio.create_task(stop.wait())
            either: list[asyncio.Future[Any]] = [stopped, self._broken]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if self._broken.done():
                raise ours(WHAT, self._broken.result())
        finally:
            self.connected = False
            await self._hang_up()

    def done(self, token: Token) -> None:
        """Acknowledge it. Harmless when the connection is gone: it comes again."""
        channel, tag = token
        if channel is self._channel and channel.is_open:
            with suppress(*BROKEN):
                channel.basic_ack(tag)

    async def _connect(self) -> None:
        """To the first node that answers; it is tried first the next time."""
        failure: HubError = Unavailable(f"{WHAT}: no node answers")
        for number, node in enumerate(self._nodes):
            try:
                await asyncio.wait_for(self._open(node), 2 * self._timeout)
            except TimeoutError:
                failure = Unavailable(f"{WHAT}: the broker does not answer")
            except Unavailable as error:
                failure = error
            else:
                self._nodes = [*self._nodes[number:], *self._nodes[:number]]
                return
            await self._hang_up()
        raise failure

    async def _open(self, node: Settings) -> None:
        loop = asyncio.get_running_loop()
        self._broken = broken = loop.create_future()
        self._gone = gone = loop.create_future()

        def fail(_: object, error: BaseException) -> None:
            if not broken.done():
                broken.set_result(error)

        def end(where: object, error: BaseException) -> None:
            fail(where, error)
            if not gone.done():
                gone.set_result(None)

        self._connection = AsyncioConnection(
            node.parameters, on_open_error_callback=end, on_close_callback=end, custom_ioloop=loop
        )
        connection = self._connection
        await self._step(connection.add_on_open_callback)
        self._channel = channel = await self._step(lambda done: connection.channel(on_open_callback=done))
        channel.add_on_close_callback(fail)
        channel.add_on_cancel_callback(lambda _: fail(None, ConnectionError("the broker ended our reading")))
        for step in self._topology.steps():
            await self._step(partial(step, channel))
        for queue, prefetch in self._queues.items():
            await self._step(partial(channel.basic_qos, 0, prefetch, False))
            channel.basic_consume(queue, self._on_message(queue))

    async def _step(self, begin: Callable[[Callable[[Any], None]], object]) -> Any:  # noqa: ANN401 pika's answer
        """Say something to the broker and wait for its answer. Raises what `ours` says when it breaks instead."""
        assert self._broken is not None
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            begin(lambda answer: None if answered.done() else answered.set_result(answer))
        except BROKEN as error:
            raise ours(WHAT, error) from None
        either: list[asyncio.Future[Any]] = [answered, self._broken]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not answered.done():
            raise ours(WHAT, self._broken.result())
        return answered.result()

    def _on_message(self, queue: str) -> Callable[[Channel, Basic.Deliver, BasicProperties, bytes], None]:
        def on_message(channel: Channel, method: Basic.Deliver, _: BasicProperties, body: bytes) -> None:
            self._heard(queue, body, (channel, int(method.delivery_tag or 0)))

        return on_message

    async def _hang_up(self) -> None:
        """Say goodbye, or hang up if nobody answers; the socket is closed then, also where the loop ends next."""
        connection, gone, self._connection, self._channel = self._connection, self._gone, None, None
        if connection is None or gone is None:
            return
        for leave in (connection.close, partial(hang_up, connection)):
            with suppress(*BROKEN):  # it is leaving already
                leave()
            await asyncio.wait([gone], timeout=_GOODBYE)
            if gone.done():
                return
