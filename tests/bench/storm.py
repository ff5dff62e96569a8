"""`python -m tests.bench.storm`: tellings of alarms a second, by the filter alone and through reception and database.

1,000 devices tell their state every ten seconds by their own clocks; one in twenty is active, a tenth of the tellings
is late or a repeat. Each telling ends in the journal; the first of an active device opens its case.
"""

import argparse
import asyncio
import json
import random
import resource
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import uvloop

from canonical.alarm import Alarm, AlarmPolicy, AlarmState, CapState
from canonical.case import Case
from canonical.codes import ClassCode
from canonical.lifecycle import Stage
from canonical.message import Message
from canonical.reading import Reading
from canonical.records import Arrival
from canonical.report import Report
from gateway.configuration import Configuration
from gateway.hub import clock, fresh_id
from gateway.reception import Reception
from routing.storm import Decision, policy_of, tell
from storage.embedded import EmbeddedPostgres
from storage.schema import migrate
from storage.store import Store
from tests.routing.intake_city import STALL
from tests.routing.test_storm_intake import alarmed

DEVICES = 1000
POLICIES = {"*": AlarmPolicy(hold=15, times=2, raise_at=80, clear_below=70, quiet=3600, cap=200, cap_window=3600)}
_HEADERS = {"content-type": "application/json", "x-device-kind": "level"}


def alarms(count: int, start: datetime) -> Iterator[Alarm]:
    """So many tellings, round by round over all devices."""
    chance = random.Random(7)
    active = {device for device in range(DEVICES) if chance.random() < 0.05}
    for number in range(count):
        device, round_ = number % DEVICES, number // DEVICES
        if chance.random() < 0.002:
            active ^= {device}
        late = -10 if chance.random() < 0.1 else 0
        value = chance.uniform(75, 95) if device in active else chance.uniform(20, 75)
        at = start + timedelta(seconds=round_ * 10 + late)
        yield Alarm(device=f"device-{device:04d}", kind="level", active=value >= 80, value=value, at=at)


def arrival(alarm: Alarm, number: int) -> Arrival:
    """The telling as an adapter reads it, with a report in case it opens one."""
    body = json.dumps({"device": alarm.device, "value": alarm.value, "at": str(alarm.at), "text": "液位超限" * 20})
    message = Message("iot", body.encode(), clock(), fresh_id(), door="alarms", headers=_HEADERS)
    report = Report(class_code=ClassCode.parse(STALL), given_area="340202", description="窨井液位超限（示例）")
    reading = Reading(
        system="iot", kind="alarm", edition="iot-1", external_id=f"{number}-{alarm.device}", report=report, alarm=alarm
    )
    return Arrival(message, reading)


def filtered(count: int) -> float:
    """Tellings a second of the pure filter, in this process."""
    now = clock()
    told = list(alarms(count, now))
    states: dict[str, AlarmState] = {}
    case = Case(id=fresh_id(), no="1", sequence=1, stage=Stage.FILED, version=1, source="iot", received_at=now)
    policy, cap = policy_of(POLICIES, "level"), CapState(system="iot", kind="level")
    began = time.perf_counter()
    for alarm in told:
        state = states.get(alarm.device) or AlarmState(system="iot", device=alarm.device, kind="level")
        result = tell(state, cap, alarm, policy, case if state.case_id else None, received_at=now, now=now)
        cap, state = result.cap or cap, result.state
        opened = result.decision is Decision.OPEN
        states[alarm.device] = state.model_copy(update={"case_id": case.id}) if opened else state
    return count / (time.perf_counter() - began)


async def through(url: str, count: int, batch: int, lanes: int) -> dict[str, float]:
    """Tellings a second through reception and database, `lanes` batches under way at a time."""
    store = Store(url)
    reception = Reception(Configuration(alarmed(POLICIES), {}), store, now=clock, ids=fresh_id)
    waiting = iter([arrival(alarm, number) for number, alarm in enumerate(alarms(count, clock()))])
    seconds: list[float] = []
    verdicts: Counter[str] = Counter()

    async def lane() -> None:
        while some := [one for _, one in zip(range(batch), waiting, strict=False)]:
            began = time.perf_counter()
            verdicts.update(outcome.verdict for outcome in await reception.take_in(some))
            seconds.append(time.perf_counter() - began)

    began, spent = time.perf_counter(), _processor()
    await asyncio.gather(*(lane() for _ in range(lanes)))
    took, used = time.perf_counter() - began, _processor() - spent
    await store.close()
    figures = {"per_second": count / took, "our_processor_share": used / took, **verdicts}
    return figures | {"batch_p50_ms": statistics.median(seconds) * 1e3, "batch_max_ms": max(seconds) * 1e3}


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print both figures as one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tellings", type=int, default=20_000)
    parser.add_argument("--batches", default="100,200")
    parser.add_argument("--lanes", type=int, default=2)
    chosen = parser.parse_args()
    figures: dict[str, object] = {"filter_alone_per_second": round(filtered(chosen.tellings))}
    for size in map(int, chosen.batches.split(",")):
        with EmbeddedPostgres(None) as server:
            asyncio.run(migrate(server.url))
            measured = uvloop.run(through(server.url, chosen.tellings, size, chosen.lanes))
        figures[f"batches_of_{size}"] = {name: round(value, 2) for name, value in measured.items()}
    sys.stdout.write(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
