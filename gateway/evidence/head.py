"""The head of the chain, as it is told to those who keep it."""

from typing import Any

from gateway.evidence.leaf import instant
from gateway.evidence.seal import algorithm_of
from gateway.evidence.sign import Signer
from gateway.evidence.verify import head_statement
from storage import seals
from storage.store import Store


async def head_view(store: Store, signer: Signer | None) -> dict[str, Any] | None:
    """The newest head, signed where there is a key; None while nothing is sealed."""
    async with store.transaction() as transaction:
        last = await seals.newest(transaction.connection)
    if last is None:
        return None
    view: dict[str, Any] = {
        "algorithm": algorithm_of(last), "size": last.no, "head": last.head, "sealed_at": instant(last.sealed_at)
    }  # fmt: skip
    return view | {"key": signer.public, "signature": signer(head_statement(view))} if signer else view
