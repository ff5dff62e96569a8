"""Runs every check of the house and says at the end what ran, how long it took, and what was left out.

    python tests/house/check.py [STEP ...]        all steps, or the named ones

Standard library only. All steps run even when one fails; the exit code is 1 when any did. With CI set, a skipped test
is a failure (tests/conftest.py sees to it).
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PYTHON = sys.executable
WORKERS = "3"
"""On two processors: half of the time a test waits for what it started."""
MEMORY = Path("/dev/shm")
ROOM = 6 * 2**30
"""Bytes that the tests' servers take at most, ten times over."""


@dataclass(frozen=True, slots=True)
class Step:
    """One check."""

    name: str
    command: Sequence[str]


def steps(report: Path) -> list[Step]:
    """All checks in their order. `report`: where pytest writes what it skipped."""
    return [
        Step("format", [f"{BIN}/ruff", "format", "--check", "."]),
        Step("style", [f"{BIN}/ruff", "check", "."]),
        Step("types", [f"{BIN}/mypy"]),
        Step("imports", [f"{BIN}/lint-imports"]),
        Step("console", [PYTHON, "tests/house/console.py"]),
        Step("tests", [PYTHON, "-m", "pytest", "-q", "-n", WORKERS, "--dist", "loadgroup", f"--junit-xml={report}"]),
        Step("wheel", [PYTHON, "tests/house/wheel.py"]),
    ]


def run(step: Step, folder: Path) -> tuple[bool, float]:
    """True when it passed, and the seconds it took."""
    print(f"\n== {step.name}: {' '.join([Path(step.command[0]).name, *step.command[1:]])}", flush=True)
    begin = time.monotonic()
    try:
        code = subprocess.run(
            step.command, cwd=ROOT, env=environment(folder), stdin=subprocess.DEVNULL, check=False
        ).returncode
    except FileNotFoundError:
        print(f"missing: {step.command[0]}; run make setup")
        code = 1
    return code == 0, time.monotonic() - begin


def environment(folder: Path) -> dict[str, str]:
    """What the steps see. `folder`: where temporary files go.

    Byte code is kept, whatever is usual here: else each of hundreds of processes compiles every module anew.
    """
    return os.environ | {"PYTHONDONTWRITEBYTECODE": "", "TMPDIR": f"{folder}"}


def quick_folder() -> Path:
    """Where temporary files are made: in memory, where half of the time to start a server is saved, if there is room
    and programs may run from there. TMPDIR has precedence.
    """
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return Path(tempfile.gettempdir())
    there = os.statvfs(MEMORY)
    fits = there.f_bavail * there.f_frsize >= ROOM and not there.f_flag & os.ST_NOEXEC
    return MEMORY if fits else Path(tempfile.gettempdir())


def skipped(report: Path) -> list[str]:
    """Name and reason of each skipped test; empty when the tests did not run."""
    if not report.exists():
        return []
    cases = ElementTree.parse(report).iter("testcase")
    return [
        f"{case.get('classname')}.{case.get('name')}: {found.get('message')}"
        for case in cases
        if (found := case.find("skipped")) is not None
    ]


def main() -> int:
    """Run and summarise."""
    with tempfile.TemporaryDirectory(prefix="gridhub-check-", dir=quick_folder(), ignore_cleanup_errors=True) as made:
        folder = Path(made)
        folder.chmod(0o1777)  # as /tmp: servers that do not run as root write there too
        report = folder / "tests.xml"
        known = steps(report)
        wanted = sys.argv[1:] or [step.name for step in known]
        unknown = set(wanted) - {step.name for step in known}
        if unknown:
            print(f"no such step: {', '.join(sorted(unknown))}; there are {', '.join(step.name for step in known)}")
            return 2
        results = {step.name: run(step, folder) for step in known if step.name in wanted}
        left_out = skipped(report)
    print("\n== summary")
    for name, (passed, seconds) in results.items():
        print(f"{'passed' if passed else 'FAILED'}  {seconds:6.1f} s  {name}")
    for name in left_out:
        print(f"skipped           {name}")
    not_run = [step.name for step in known if step.name not in results]
    if not_run:
        print(f"not run           {', '.join(not_run)}")
    if left_out and os.environ.get("CI"):
        print("CI is set: nothing may be skipped")
        return 1
    return 0 if all(passed for passed, _ in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
