"""Checks the console's sources, builds it, and weighs what a browser loads before it shows anything.

    python tests/house/console.py

Standard library only; Node 20.19 or newer with npm.
"""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CONSOLE = ROOT / "console"
BUDGET = 300_000
"""Bytes of script, as gzip sends them, before the first view: the entry, the first page, and all they always need."""
ENTRY, FIRST_PAGE = "index.html", "src/pages/cockpit/Cockpit.vue"
STEPS: Sequence[Sequence[str]] = (
    (f"{ROOT}/deploy/console.sh", "must"),
    ("npm", "run", "--silent", "lint"),
    ("npm", "run", "--silent", "check"),
    ("npm", "run", "--silent", "test", "--", "--reporter", "dot"),
)


def needed(manifest: Mapping[str, Any], *names: str) -> set[str]:
    """The scripts of these parts and of everything they import when they are loaded, not later."""
    found: set[str] = set()
    wanted = list(names)
    while wanted:
        part = manifest[wanted.pop()]
        if part["file"] not in found:
            found.add(part["file"])
            wanted += part.get("imports", [])
    return {name for name in found if name.endswith(".js")}


def weight(dist: Path) -> int:
    """Bytes before the first view. What is too small to be compressed counts as it is."""
    manifest = json.loads((dist / ".vite" / "manifest.json").read_text(encoding="utf-8"))
    files = [dist / name for name in needed(manifest, ENTRY, FIRST_PAGE)]
    packed = [file.with_name(f"{file.name}.gz") for file in files]
    return sum((zipped if zipped.exists() else file).stat().st_size for file, zipped in zip(files, packed, strict=True))


def main() -> None:
    """All steps; stops at the first that fails."""
    for step in STEPS:
        begin = time.monotonic()
        code = subprocess.run(step, cwd=CONSOLE, stdin=subprocess.DEVNULL, check=False).returncode
        print(f"{time.monotonic() - begin:5.0f}s  {' '.join(map(str, step))}", flush=True)
        if code:
            sys.exit(f"failed: {' '.join(map(str, step))}")
    weighed = weight(CONSOLE / "dist")
    print(f"       {weighed / 1000:.0f} kB of script before the first view; {BUDGET / 1000:.0f} kB at most")
    if weighed > BUDGET:
        sys.exit("too much script before the first view: load charts, maps and dialogs when they are looked at")


if __name__ == "__main__":
    main()
