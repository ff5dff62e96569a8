"""Replays as people and machines see them: ids, counts and reasons, nothing of what a message says."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from canonical.message import Direction
from canonical.replay import How, Item, Replay
from canonical.time import in_shanghai
from gateway.edition import SHOWN
from gateway.views import View, row_view

_HOW = {
    How.READ: "read again, and taken in", How.VERBATIM: "sent again as it travelled; what proves it fresh is new",
    How.ANEW: "written anew, and sent",
}  # fmt: skip


def replay_view(replay: Replay) -> View:
    """One replay as JSON."""
    view = row_view(replay)
    return view | {"counts": dict(replay.counts), "chosen": dict(replay.chosen), "items": dict(replay.items)}


def item_view(item: Item) -> View:
    """One line of the ledger as JSON."""
    return row_view(item)


def lines(replay: Replay) -> Iterator[str]:
    """One replay in words."""
    counts = replay.counts
    arrow = "->" if replay.direction is Direction.IN else "<-"
    yield f"{replay.id}  {arrow} {replay.system}  {replay.state}"
    yield f"    {replay.total} items of {counts['cases']} cases, each {_HOW[replay.how]} by edition {_edition(replay)}"
    if counts["first"]:
        yield f"    from {_time(counts['first'])} to {_time(counts['last'])}; at a failure: {replay.on_failure}"
    yield from (f"    {title}: {_counted(counts[key])}" for key, title in _TITLES.items() if counts.get(key))
    yield from (f"    {text.format(counts[key])}" for key, text in _WARNINGS.items() if counts.get(key))
    if seals := counts.get("sealed_within"):
        told = ", ".join(f"{kind} ({', '.join(within)})" for kind, within in seals.items())
        yield f"    holds within its bytes what is only good for a while; the other side may refuse it: {told}"
        yield "    --anew writes it anew instead"
    if replay.actor:
        yield f"    by {replay.actor}: {replay.reason}"
    if replay.items:
        yield f"    {_counted(replay.items)}"
    if replay.text:
        yield f"    {replay.text}"


def examples(replay: Replay) -> Iterator[str]:
    """A few of its items in words."""
    for one in replay.counts["examples"]:
        case = f"  case {one['case']}" if one["case"] else ""
        yield f"    {one['no']:>5}  {_time(one['at'])}  {one['kind'] or '(not read)'}  {one['was']}{case}"
        yield f"           {one['subject']}"


_TITLES = {"by_kind": "kinds", "by_was": "ended as", "reads": "reads now as"}
_WARNINGS = {
    "reads_differently": "{} read differently than when they came",
    "replayed_before": "{} were replayed before: they are replayed once more",
    "replays_left_out": "{} are replays of others here, and left out",
    "let_go": "{} wait for a person: they themselves are let go, written anew",
    "without_bytes": "{} cannot be sent as they travelled: their bytes are not kept",
    "undeclared": "not declared by this edition, and parked when it is tried: {}",
}


def _counted(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _edition(replay: Replay) -> str:
    return replay.edition[:SHOWN] or "of today"


def _time(iso: str) -> str:
    return in_shanghai(datetime.fromisoformat(iso)).strftime("%Y-%m-%d %H:%M:%S")
