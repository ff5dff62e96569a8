"""Builds the wheel, installs it with the locked packages far from the checkout, and uses it from an empty folder.

    python tests/house/wheel.py

The environment is kept in the user's cache between runs and made anew when the lock, or the interpreter, changes.
"""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"

COMMANDS: Sequence[Sequence[str]] = (
    ("--help",),
    ("check",),
    ("schema",),
    ("demo", "--minutes", "0.1", "--json"),
)
"""What a stranger does first; the last one must print JSON."""

LONGEST_SECONDS = 300


def say(begin: float, text: str) -> None:
    """One line of progress."""
    print(f"{time.monotonic() - begin:5.0f}s  {text}", flush=True)


def cache() -> Path:
    """The user's cache folder, HOME set or not."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gridhub"


def call(command: Sequence[str | Path], folder: Path, **more: str) -> str:
    """Run in `folder` with none of the checkout's settings; what it printed. Exits with its output when it fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GRIDHUB_", "PYTHON", "VIRTUAL"))}
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=kept | more, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS,
    )  # fmt: skip
    if done.returncode:
        sys.exit(
            f"{' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )
    return done.stdout


def environment(base: Path, begin: float) -> Path:
    """The interpreter of an environment that holds exactly the locked packages (and perhaps an older gridhub)."""
    folder = base / "wheel-environment"
    stamp = folder / "stamp"
    key = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    python = folder / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != key:
        say(begin, f"installing {LOCK.name} into {folder}")
        venv.create(folder, clear=True, with_pip=True)
        call([python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", LOCK], base)
        stamp.write_text(key)
    return python


def use(python: Path, folder: Path, begin: float) -> None:
    """Every command from an empty folder."""
    gridhub = python.with_name("gridhub")
    where = call([python, "-c", "import gateway; print(gateway.__file__)"], folder).strip()
    if not Path(where).is_relative_to(python.parents[1]):
        sys.exit(f"the wheel is not what runs: {where}")
    built = (ROOT / "console" / "dist" / "index.html").exists()
    found = call([python, "-c", "from gateway.console.folder import built; print(built() or '')"], folder).strip()
    if bool(found) != built or (found and Path(found).name != "console_files"):
        sys.exit(f"the console was built: {built}; the wheel shows: {found or 'none'}")
    say(begin, f"console: {found or 'was not built'}")
    for arguments in COMMANDS:
        printed = call([gridhub, *arguments], folder)
        if "--json" in arguments:
            json.loads(printed)
        if not printed.strip():
            sys.exit(f"gridhub {' '.join(arguments)} printed nothing")
        say(begin, f"gridhub {' '.join(arguments)}")


def main() -> None:
    """Build, install, use."""
    begin = time.monotonic()
    base = cache()
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gridhub-wheel-") as temporary, (base / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built, empty = Path(temporary) / "built", Path(temporary) / "empty"
        empty.mkdir()
        call([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", built, ROOT], ROOT)
        [wheel] = built.glob("*.whl")
        say(begin, f"built {wheel.name}, {wheel.stat().st_size // 1024} KB")
        python = environment(base, begin)
        call([python, "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall", wheel], empty)
        say(begin, "installed")
        use(python, empty, begin)


if __name__ == "__main__":
    main()
