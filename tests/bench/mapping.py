"""What reading one message costs beyond parsing its JSON: the declared hotline ticket beside Python written by hand.

    python -m tests.bench.mapping [--rounds 30] [--messages 2000]

Rounds are interleaved, so that a noisy machine disturbs both alike; figures are medians of the rounds.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import orjson

import adapters
from adapters.samples import ID, NOW
from canonical.message import Message
from canonical.reading import Reading
from tests.bench.hotline_by_hand import reader

FOLDER = adapters.shipped()["hotline_12345"]
TICKET = next(
    path for path in sorted((FOLDER / "samples").glob("tasks.*.in.json")) if b"rqstTitle" in path.read_bytes()
)


def ticket() -> bytes:
    """A ticket with all 27 fields that the contract names and the declaration reads."""
    document = orjson.loads(TICKET.read_bytes())
    params = document["params"]
    params |= {
        "finishLimit": {"value": "5", "unit": "2"}, "signLimit": {"value": "2", "unit": "1"}, "sex": "1",
        "userType": "1", "replayType": "1", "opinion": "请核实处理",
    }  # fmt: skip
    return orjson.dumps(document)


def seconds(work: Callable[[], Any], times: int) -> float:
    """Processor seconds of one call, over `times` calls: other work on the machine does not count."""
    begin = time.thread_time()
    for _ in range(times):
        work()
    return (time.thread_time() - begin) / times


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=30)
    options.add_argument("--messages", type=int, default=2000)
    told = options.parse_args()
    raw = ticket()
    system = adapters.load(FOLDER, {"token": "demo-token"})
    message = Message(system="s", body=raw, at=NOW, id=ID, door="tasks", content_type="application/json")
    by_hand, params = reader(FOLDER), orjson.loads(raw)["params"]
    [declared] = system.read(message)
    assert declared == by_hand(params), "both must read the same"
    figures: dict[str, list[float]] = {"read": [], "json": [], "hand": [], "model": []}
    assert isinstance(declared, Reading)
    fields = declared.model_dump()
    for _ in range(told.rounds):
        figures["read"].append(seconds(lambda: system.read(message), told.messages))
        figures["json"].append(seconds(lambda: orjson.loads(raw), told.messages))
        figures["hand"].append(seconds(lambda: by_hand(params), told.messages))
        figures["model"].append(seconds(lambda: Reading.model_validate(fields), told.messages))
    micro = {name: statistics.median(values) * 1e6 for name, values in figures.items()}
    ratio = statistics.median(
        (read - json) / hand for read, json, hand in zip(figures["read"], figures["json"], figures["hand"], strict=True)
    )
    print(f"{'fields of the ticket':44}{len(params):8}")
    print(f"{'JSON parsing':44}{micro['json']:8.1f} us")
    print(f"{'declared, beyond JSON parsing':44}{micro['read'] - micro['json']:8.1f} us")
    print(f"{'by hand, beyond JSON parsing':44}{micro['hand']:8.1f} us")
    print(f"{'of both: making the canonical reading':44}{micro['model']:8.1f} us")
    print(f"{'declared / by hand':44}{ratio:8.2f}")


if __name__ == "__main__":
    main()
