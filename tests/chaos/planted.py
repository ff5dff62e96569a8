"""Three bugs that the campaign must catch, each put into a running hub process by replacing one function or statement.

They are the three ways in which systems of this kind have gone wrong in the field: sending again after a time-out,
answering before the commit, and letting a later message overtake an unfinished one.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any


def blind_resend() -> None:
    """After a doubt nobody is asked and nobody waits for a person: it is simply sent again."""
    from gateway.delivery.deliver import Deliverer

    async def cleared_up(_self: Deliverer, claimed: Any, *_: Any) -> Any:
        return claimed

    _put(Deliverer, "_cleared_up", cleared_up)
    _put(Deliverer, "_repeat", lambda *_: "safe")


def answer_first() -> None:
    """The door answers as soon as a message could be read, and commits afterwards."""
    from canonical.errors import Unacceptable
    from canonical.message import Verdict
    from canonical.reading import Outcome
    from gateway.reception import Committer

    committed, behind = Committer.submit, set[Any]()

    def done(task: "asyncio.Task[Any]") -> None:
        behind.discard(task)
        if not task.cancelled():
            task.exception()  # nobody is told

    async def submit(self: Committer, message: Any, arrivals: Any) -> list[Outcome]:
        if any(isinstance(arrival.content, Unacceptable) for arrival in arrivals):
            return await committed(self, message, arrivals)
        task = asyncio.ensure_future(committed(self, message, arrivals))
        behind.add(task)
        task.add_done_callback(done)
        return [Outcome(Verdict.CASE) for _ in arrivals]

    _put(Committer, "submit", submit)


def overtaking() -> None:
    """A claim that takes the newest first, and does not look whether an earlier message of its lane is on its way."""
    from sqlalchemy import text

    from storage import lanes, outbox
    from storage.driver import Prepared

    def planted(claim: str) -> Prepared:
        begin = claim.index("AND NOT EXISTS (SELECT 1 FROM delivery e")
        rest = claim[claim.index("ORDER BY", begin) :].replace("ORDER BY d.next_at", "ORDER BY d.id DESC")
        return Prepared(text(claim[:begin] + rest))

    outbox._TAKE, outbox._HEADS = planted(lanes.TAKE.text), planted(lanes.HEADS.text)
    behind = "f.seq > s.seq"
    assert behind in lanes.SETTLE.text
    outbox._SETTLE = Prepared(text(lanes.SETTLE.text.replace(behind, "false")))  # what waits behind waits no longer


def _put(into: type, name: str, planted: object) -> None:
    assert hasattr(into, name), f"{into.__name__} has no {name} any more: find the bug's new place"
    setattr(into, name, planted)


PLANTS: Mapping[str, Callable[[], None]] = {
    "blind-resend": blind_resend, "answer-first": answer_first, "overtaking": overtaking,
}  # fmt: skip
