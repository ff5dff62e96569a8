"""The faults as a table of functions, and the seeded schedule that picks from it.

A fault gets the field (everything that runs) and dice of its own, does its harm, says what it did, and takes itself
back after a while by `field.later`. A further kind is a further function in the table.
"""

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.chaos.field import Field

Fault = Callable[["Field", Random], str]


def _kill(kind: str) -> Fault:
    def kill(field: "Field", dice: Random) -> str:
        process = dice.choice(field.init.of(kind))
        process.kill(down := dice.uniform(0.0, 1.5))
        return f"kill -9 {process.name}, back after {down:.1f} s"

    return kill


def _dead(kind: str) -> Fault:
    def dead(field: "Field", dice: Random) -> str:
        process = dice.choice(field.init.of(kind))
        process.kill(down := dice.uniform(3.0, field.longest))
        return f"{process.name} is dead for {down:.1f} s: its port is closed"

    return dead


def _frozen(kind: str) -> Fault:
    """A process that stands still, as a machine that swaps or a virtual machine that is moved."""

    def frozen(field: "Field", dice: Random) -> str:
        process = dice.choice(field.init.of(kind))
        still = dice.uniform(1.0, 3 * field.longest)
        process.signal(signal.SIGSTOP)
        field.later(still, lambda: process.signal(signal.SIGCONT))
        return f"{process.name} stands still for {still:.1f} s"

    return frozen


def _database(how: signal.Signals) -> Fault:
    def restart(field: "Field", _dice: Random) -> str:
        field.database.restart(how)
        return f"the database was stopped by {how.name} and started again"

    return restart


def _misbehaving(fault: str, *kinds: str) -> Fault:
    def misbehave(field: "Field", dice: Random) -> str:
        process = dice.choice([one for kind in kinds for one in field.init.of(kind)])
        if fault == "twice" and process.name not in field.knowing:
            process = field.init.processes[dice.choice(field.knowing)]
        often, seconds = dice.uniform(0.2, 0.9), dice.uniform(1.5, field.longest)
        field.behave(process.name, **{fault: often})
        field.later(seconds, lambda: field.behave(process.name, **{fault: 0}))
        return f"{process.name}: {fault} in {often:.0%} of requests for {seconds:.1f} s"

    return misbehave


def _switched_off(field: "Field", dice: Random) -> str:
    """No fault but what people do about one; nothing may leave meanwhile, and nothing be forgotten."""
    system = dice.choice(sorted(field.ports))
    if not field.switch(system, off=True):
        return f"sending to {system} could not be switched off: no gateway answers"
    field.later(seconds := dice.uniform(2.0, field.longest), lambda: field.switch(system, off=False))
    return f"sending to {system} is switched off for {seconds:.1f} s"


def _disk_full(field: "Field", dice: Random) -> str:
    if not field.disk.fill():
        return "left out: a small file system for the files of cases needs root and mount"
    field.later(seconds := dice.uniform(2.0, field.longest), field.disk.free)
    return f"the disk of the files of cases is full for {seconds:.1f} s"


def _broker(field: "Field", dice: Random) -> str:
    if field.broker is None or not field.broker.running:
        return "left out: there is no broker" if field.broker is None else "left out: the broker is dead already"
    field.broker.kill()
    field.later(seconds := dice.uniform(1.0, field.longest), field.broker.begin)
    return f"kill -9 of the broker's node, begun again after {seconds:.1f} s"


def _clock_step(field: "Field", dice: Random) -> str:
    kind = dice.choice(("gateway", "deliver", "house"))
    process = dice.choice(field.init.of(kind))
    step = dice.choice((-1, 1)) * dice.uniform(1.0, field.longest_step)
    field.set_clock(process.name, step)
    return f"the clock of {process.name} is wrong by {step:+.1f} s from now on"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault, and how often it is drawn beside the others."""

    act: Fault
    weight: int = 1


FAULTS: Mapping[str, Kind] = {
    "kill gateway": Kind(_kill("gateway"), 3),
    "kill delivering worker": Kind(_kill("deliver"), 4),
    "kill other worker": Kind(_kill("house"), 2),
    "kill source": Kind(_kill("source")),
    "kill owner": Kind(_kill("owner"), 2),
    "dead source": Kind(_dead("source")),
    "dead owner": Kind(_dead("owner"), 2),
    "frozen gateway": Kind(_frozen("gateway")),
    "frozen delivering worker": Kind(_frozen("deliver"), 2),
    "database fast restart": Kind(_database(signal.SIGINT)),
    "database immediate restart": Kind(_database(signal.SIGQUIT), 2),
    "database crash": Kind(_database(signal.SIGKILL)),
    "answers lost": Kind(_misbehaving("drop", "owner", "source"), 4),
    "answers garbled": Kind(_misbehaving("garble", "owner", "source"), 2),
    "answers late": Kind(_misbehaving("slow", "owner", "source"), 2),
    "requests doubled": Kind(_misbehaving("twice", "owner"), 2),
    "requests refused": Kind(_misbehaving("refuse", "owner", "source"), 2),
    "503": Kind(_misbehaving("down", "owner", "source"), 2),
    "silent": Kind(_misbehaving("silent", "owner", "source")),
    "callbacks reordered": Kind(_misbehaving("reorder", "owner"), 2),
    "callbacks doubled": Kind(_misbehaving("repeat", "owner", "source"), 2),
    "sending switched off": Kind(_switched_off, 2),
    "disk full": Kind(_disk_full, 2),
    "broker node killed": Kind(_broker, 4),
    "clock step": Kind(_clock_step, 3),
}


@dataclass(frozen=True, slots=True)
class Due:
    """One fault of a schedule: at which share of the reports, which kind, and the seed of its dice."""

    at: float
    kind: str
    seed: str


WITH_BUS = frozenset({"broker node killed"})
"""Kinds that need a broker."""


def schedule(seed: int, number: int, only: Sequence[str] = (), *, bus: bool = False) -> list[Due]:
    """The same for the same seed. Every kind comes once before any comes at random, as far as there are enough.

    `only`: kinds to draw from; default: all. `bus`: there is a broker.
    """
    dice = Random(f"schedule/{seed}")
    known = [kind for kind in FAULTS if (not only or kind in only) and (bus or kind not in WITH_BUS)]
    kinds = list(known)
    dice.shuffle(kinds)
    weights = [FAULTS[kind].weight for kind in known]
    drawn = kinds[:number] + dice.choices(known, weights, k=max(0, number - len(kinds)))
    dice.shuffle(drawn)
    times = sorted(dice.uniform(0.02, 0.98) for _ in drawn)
    return [Due(at, kind, f"{seed}/{order}") for order, (at, kind) in enumerate(zip(times, drawn, strict=True))]
