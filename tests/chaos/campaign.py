"""One campaign from the first report to the checker's verdict: feed and harm, let it come to rest, export, check."""

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from random import Random
from typing import Any

from tests.chaos.checker import Finding, Law, check
from tests.chaos.city import CALLS, WORKS
from tests.chaos.faults import FAULTS, Due, schedule
from tests.chaos.field import CENTRE, Field, Plan, fresh_folder
from tests.chaos.person import Person

Say = Callable[[str], None]
_LOOK = 0.2
_FILE_DONE = frozenset({"stored", "gone"})


@dataclass(slots=True)
class Result:
    """What a campaign found."""

    plan: Plan
    folder: Path
    seconds: float
    faults: Counter[str]
    left_out: int
    restarts: int
    person: dict[str, int]
    laws: list[Law]
    findings: list[Finding] = field(repr=False)
    unrest: str = ""
    """What was still under way when patience ended."""

    @property
    def held(self) -> bool:
        """Every law, and everything came to rest."""
        return not self.findings and not self.unrest


def run(plan: Plan, say: Say = lambda _line: None, *, folder: Path | None = None) -> Result:
    """The whole campaign. The folder is removed when every law held and nobody named it."""
    keep, folder = folder is not None, folder or fresh_folder()
    place, begin = Field(plan, folder), time.monotonic()
    try:
        place.start()
        say(f"seed {plan.seed}: {len(place.init.processes)} processes are up after {time.monotonic() - begin:.0f} s")
        result = _campaign(place, say, begin)
    except BaseException:
        say(f"ledgers and logs are in {folder}")
        raise
    finally:
        place.stop()
        place.close()
    if result.held and not keep:
        shutil.rmtree(folder)
    return result


def _campaign(place: Field, say: Say, begin: float) -> Result:
    plan = place.plan
    person = Person(place.gateway, CENTRE, place.works, plan.seed)
    person.start()
    place.feed()
    done, left_out = _harm(place, say)
    _until(lambda: _fed(place), plan.patience, place)
    say(f"all reports are in after {time.monotonic() - begin:.0f} s; no more faults")
    person.reworking = False
    place.calm()
    export = place.folder / "export.ndjson"
    unrest = _rest(place, person, say) or _files_rest(place, export)
    person.end()
    place.init.stop()
    place.gridhub("events", "export", "--output", str(export))
    say(f"at rest after {time.monotonic() - begin:.0f} s; checking")
    laws, findings = check(place.folder, CALLS, tuple(WORKS))
    restarts = sum(process.starts - 1 for process in place.init.processes.values())
    return Result(
        plan, place.folder, time.monotonic() - begin, done, left_out, restarts, person.counts, laws, findings, unrest
    )  # fmt: skip


def _harm(place: Field, say: Say) -> tuple[Counter[str], int]:
    """The schedule, fault by fault, as the reports come in; when they do not, time goes on for them."""
    plan, done, left_out, last = place.plan, Counter[str](), 0, time.monotonic()
    for due in schedule(plan.seed, plan.faults, plan.kinds, bus=plan.bus):
        _until_due(place, due, last + plan.gap, last + 8 * plan.gap)
        words = FAULTS[due.kind].act(place, Random(due.seed))
        last = time.monotonic()
        left_out += words.startswith("left out")
        done[due.kind] += 1
        reported = (place.state(CALLS) or {}).get("reported", "?")
        say(f"{sum(done.values()):4d}/{plan.faults} at {reported} reports: {words}")
    return done, left_out


def _until_due(place: Field, due: Due, first: float, last: float) -> None:
    _until_time(first)
    while time.monotonic() < last:
        state = place.state(CALLS)
        if state is not None and (state["reported"] >= due.at * place.plan.cases or not state["busy"]):
            return
        time.sleep(_LOOK)


def _until_time(instant: float) -> None:
    time.sleep(max(0.0, instant - time.monotonic()))


def _until(true: Callable[[], bool], seconds: float, place: Field) -> None:
    end = time.monotonic() + seconds + place.plan.cases / 20
    while not true():
        if time.monotonic() > end:
            return
        time.sleep(_LOOK)


def _fed(place: Field) -> bool:
    state = place.state(CALLS)
    return state is not None and not state["busy"]


def _rest(place: Field, person: Person, say: Say) -> str:
    """Wait until nothing is under way on any side, twice in a row. What is, when patience ends."""
    end, quiet, told, unrest = time.monotonic() + place.plan.patience, 0, 0.0, "it was not looked"
    while quiet < 2:
        unrest = _unrest(place, person)
        quiet = 0 if unrest else quiet + 1
        if time.monotonic() > end:
            return unrest
        if unrest and time.monotonic() > told + 15:
            told = time.monotonic()
            say(f"under way: {unrest}")
        time.sleep(1.0)
    return ""


def _files_rest(place: Field, export: Path) -> str:
    """Wait until no file is on its way. What is, when patience ends."""
    end = time.monotonic() + place.plan.patience
    while True:
        place.gridhub("events", "export", "--only", "file", "--output", str(export))
        under_way = sum(json.loads(line)["state"] not in _FILE_DONE for line in export.read_bytes().splitlines())
        if not under_way:
            return ""
        if time.monotonic() > end:
            return f"{under_way} files are on their way"
        time.sleep(5.0)


def _unrest(place: Field, person: Person) -> str:
    if not place.init.all_up():
        return "a process is down"
    for name in (CALLS, *WORKS):
        state = place.state(name)
        if state is None or state["busy"]:
            return f"{name} is at work: {state}"
    try:
        books: dict[str, Any] = person.get("/api/summary")["messages"]
        held = person.get("/api/journal?verdict=held&limit=1")["items"]
    except (OSError, HTTPException, ValueError) as error:
        return f"the hub does not answer ({type(error).__name__})"
    ended = books["acknowledged"] + books["withdrawn"]
    if books["all"] != ended:
        return f"{books['all'] - ended} messages on their way or parked: {books}"
    return "messages are held" if held else ""
