"""`python -m tests.fuzz`: coverage-guided fuzzing of everything that reads bytes, one target after another.

    python -m tests.fuzz [--seconds 20] [--only shape-xml,expression] [--repeat FILE --only NAME] [--list]

Findings are kept in fuzz-findings/, one file each; --repeat runs one of them alone and shows where it breaks. What the
fuzzer has learnt stays in fuzz-findings/corpus/ for the next run. Ends with 1 when anything was found.
"""

import argparse
import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

FINDINGS = Path("fuzz-findings")
_TOLD = re.compile(r"stat::number_of_executed_units: *([0-9]+)")


def main() -> int:
    """All targets, each in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=20, help="for each target")
    parser.add_argument("--only", default="", help="names by comma")
    parser.add_argument("--repeat", type=Path, help="run this one input of the target named by --only")
    parser.add_argument("--list", action="store_true", help="say the names and end")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.run:
        return fuzz(told.run, told.seconds)
    from tests.fuzz.targets import targets

    known = targets()
    wanted = [name for name in told.only.split(",") if name] or list(known)
    if strange := [name for name in wanted if name not in known]:
        sys.exit(f"no target {', '.join(strange)}; --list shows them")
    if told.list:
        print(*known, sep="\n")
        return 0
    if told.repeat:
        known[wanted[0]].work(told.repeat.read_bytes())
        print("nothing is wrong with it")
        return 0
    if importlib.util.find_spec("atheris") is None:
        sys.exit("atheris is not here: `make fuzz` installs it on Linux x86_64 with CPython 3.11 to 3.13")
    return run(wanted, told.seconds)


def run(wanted: list[str], seconds: int) -> int:
    """Fuzz them one by one and say what came of each."""
    broken: list[str] = []
    for number, name in enumerate(wanted, 1):
        print(f"{number:4}/{len(wanted)}  {name:40}", end="", flush=True)
        command = [sys.executable, "-m", "tests.fuzz", "--run", name, "--seconds", str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
        count = _TOLD.search(done.stderr + done.stdout)
        if done.returncode == 0:
            print(f"{int(count[1]) if count else 0:>12,} executions", flush=True)
            continue
        broken.append(name)
        (FINDINGS / f"{name}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
        print(f"  FOUND, see {FINDINGS}/{name}.log", flush=True)
    print(f"\n{len(wanted)} targets, {len(broken)} with findings")
    for name in broken:
        for path in sorted(FINDINGS.glob(f"{name}-*-*")):
            print(f'  make fuzz FUZZ="--only {name} --repeat {path}"')
    return 1 if broken else 0


def fuzz(name: str, seconds: int) -> int:
    """One target in this process, instrumented."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["adapters"]):
        from tests.fuzz.targets import targets
    target = targets()[name]
    corpus = FINDINGS / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [
        f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=4096", "-max_len=8192", "-print_final_stats=1",
        f"-artifact_prefix={FINDINGS}/{name}-", str(corpus),
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options], target.work)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
