"""`make chaos`: campaigns over several seeds, and the laws they proved.

python -m tests.chaos --cases 100000 --faults 200 --seeds 1,2,3
python -m tests.chaos --cases 1000 --faults 30 --plant overtaking      must fail
python -m tests.chaos --check FOLDER                                   once more, over what was kept
"""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.campaign import Result, run
from tests.chaos.checker import SHOWN, Finding, Law, check, story
from tests.chaos.city import CALLS, WORKS
from tests.chaos.faults import FAULTS
from tests.chaos.field import Plan
from tests.chaos.planted import PLANTS
from tests.connectors.servers.rabbitmq import EPMD, PROGRAM


def main() -> int:
    """1 when a law did not hold anywhere."""
    told = _options()
    if told.check:
        laws, findings = check(told.check, CALLS, tuple(WORKS))
        _show_laws(laws)
        _show(told.check, findings)
        return int(bool(findings))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing is left running
    held, there = True, PROGRAM.exists() and EPMD is not None
    with_bus = {int(text) for text in filter(None, told.bus_seeds.split(","))}
    for seed in (int(text) for text in told.seeds.split(",")):
        plan = Plan(
            seed, told.cases, told.faults, workers=told.workers, rate=told.rate, gap=told.gap, longest=told.longest,
            patience=told.patience, plant=told.plant, kinds=tuple(filter(None, told.only.split(","))),
            bus=there and seed in with_bus,
        )  # fmt: skip
        result = run(plan, lambda line: print(f"[{time.strftime('%H:%M:%S')}] {line}", flush=True))
        show(result)
        held = held and result.held
    return int(not held)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--cases", type=int, default=34_000, help="reports of each seed")
    parser.add_argument("--faults", type=int, default=70, help="faults of each seed")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--bus-seeds", default="2", help="seeds with a broker as the bus, where RabbitMQ is installed")
    parser.add_argument("--workers", type=int, default=2, help="delivering worker processes")
    parser.add_argument("--rate", type=float, default=400.0, help="reports a second at most")
    parser.add_argument("--gap", type=float, default=2.0, help="seconds between two faults at least")
    parser.add_argument("--longest", type=float, default=8.0, help="seconds of the longest fault")
    parser.add_argument("--patience", type=float, default=1800.0, help="seconds until all must have come to rest")
    parser.add_argument("--plant", choices=sorted(PLANTS), default="", help="a bug that must be caught")
    parser.add_argument("--only", default="", help=f"kinds of faults, by comma, of: {', '.join(FAULTS)}")
    parser.add_argument("--check", type=Path, help="only check a folder that was kept")
    told = parser.parse_args()
    unknown = sorted(set(filter(None, told.only.split(","))) - set(FAULTS))
    if unknown:
        parser.error(f"--only: there is no fault '{unknown[0]}'; there are {', '.join(FAULTS)}")
    return told


def show(result: Result) -> None:
    """The table of one campaign."""
    plan = result.plan
    bus = " with a bus" if plan.bus else ""
    faults = f"{sum(result.faults.values())} faults ({result.left_out} left out)"
    print(f"\nseed {plan.seed}{bus}: {plan.cases} reports, {faults},")
    print(f"{result.restarts} restarts, {result.seconds:.0f} s; the person {result.person}")
    for kind, number in sorted(result.faults.items()):
        print(f"  {number:4d}  {kind}")
    _show_laws(result.laws)
    if result.unrest:
        print(f"NOT AT REST: {result.unrest}")
    if not result.held:
        _show(result.folder, result.findings)
        print(f"ledgers, logs and export are in {result.folder}")
    print(f"seed {plan.seed}: {'every law held' if result.held else 'BROKEN'}\n", flush=True)


def _show_laws(laws: Sequence[Law]) -> None:
    for law in laws:
        print(f"  {'held  ' if not law.broken else 'BROKEN'}  {law.about:8d}  {law.broken or '':>6}  {law.name}")


def _show(folder: Path, findings: Sequence[Finding]) -> None:
    shown: dict[str, int] = {}
    for finding in findings:
        shown[finding.law] = shown.get(finding.law, 0) + 1
        if shown[finding.law] > SHOWN:
            continue
        print(f"\n{finding.law}: case {finding.case_no}: {finding.words}")
        for line in story(folder, (CALLS, *WORKS), finding.case_no):
            print(line)


if __name__ == "__main__":
    sys.exit(main())
