"""Bodies of the API are bounded: whoever sends more than any order has must not fill our memory, signed in or not."""

from gateway.wire import Receive

MOST = 1024 * 1024
"""Bytes of a body that are kept: twice the largest there is, a replay that names its messages."""


def bounded(receive: Receive) -> Receive:
    """The same, in which a body ends early: the rest is read and dropped, and what is cut off cannot be parsed."""
    came = 0

    async def received() -> dict[str, object]:
        nonlocal came
        message = await receive()
        body = message.get("body", b"")
        if isinstance(body, bytes) and body:
            kept = body[: max(MOST - came, 0)]
            came += len(body)
            return {**message, "body": kept}
        return dict(message)

    return received
