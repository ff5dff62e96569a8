"""A page whose files and commands are carried out in an empty folder, in order, by one shell.

python -m tests.house.shown_page docs/connect-your-platform.md   # writes what commands print today into the page
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = "/home/li/parks"
"""What the page calls the folder it is played in."""
_PART = re.compile(
    r"^(?:\*\*`(?P<file>[^`]+)`\*\*\n\n)?```(?P<language>\w+)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE
)
_END = "--- the command ended ---"
_CHANGING = (
    (re.compile(r"\b\d+\.\d s\b"), "0.0 s"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(?= to|$)", re.MULTILINE), "2026-01-01 08:00"),
)
"""What differs from run to run, and what stands for it."""


def steady(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, stands in _CHANGING:
        text = pattern.sub(stands, text)
    return text


@contextmanager
def open_folder() -> Iterator[Path]:
    """An empty folder that the database's own account may pass through."""
    with tempfile.TemporaryDirectory(prefix="gridhub-page-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


class Shell:
    """One bash in one folder; each command's output, standard error included."""

    def __init__(self, folder: Path, port: int) -> None:
        program = Path(sys.executable).parent
        keep = {name: value for name, value in os.environ.items() if not name.startswith("GRIDHUB_")}
        given = keep | {
            "PATH": f"{program}:{keep['PATH']}", "GRIDHUB": str(ROOT), "COLUMNS": "80", "TERM": "dumb",
            "PYTHONPATH": str(ROOT), "NO_COLOR": "1",
        }  # fmt: skip
        self._folder, self._port = folder, port
        self._shell = subprocess.Popen(
            ["bash", "--norc"], cwd=folder, env=given, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.run("shopt -s expand_aliases")

    def run(self, command: str) -> str:
        """What it prints."""
        assert self._shell.stdin
        assert self._shell.stdout
        self._shell.stdin.write(command.replace("8080", str(self._port)) + f"\necho '{_END}'\n")
        self._shell.stdin.flush()
        lines: list[str] = []
        for line in self._shell.stdout:
            before, ended, _ = line.partition(_END)
            lines += [before] if before else []
            if ended:
                break
        told = "".join(lines).replace(str(self._folder.resolve()), HOME).replace(str(self._port), "8080")
        return "".join(f"{line.rstrip()}\n" for line in told.splitlines())

    def close(self) -> None:
        """End it, and the server it may have left."""
        self.run("kill $(jobs -p) 2>/dev/null; wait")
        self._shell.communicate("exit\n", timeout=30)


def played(page: str, folder: Path, port: int) -> Iterator[tuple[str, str, str]]:
    """(command, what the page shows, what it printed), after writing every file that stands before it."""
    shell = Shell(folder, port)
    try:
        for part in _PART.finditer(page):
            if part["file"]:
                path = folder / part["file"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(part["body"], encoding="utf-8")
            elif part["language"] == "console":
                yield from ((command, shown, shell.run(command)) for command, shown in commands(part["body"]))
    finally:
        shell.close()


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block with the output under it."""
    for one in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = one.partition("\n")
        yield command, shown


def renewed(page: str, folder: Path, port: int) -> str:
    """The page with what its commands print today; unchanged where only the changing differs."""
    told = iter(list(played(page, folder, port)))

    def block(part: re.Match[str]) -> str:
        if part["file"] or part["language"] != "console":
            return part[0]
        lines = []
        for _ in commands(part["body"]):
            command, shown, printed = next(told)
            lines.append(f"$ {command}\n{shown if steady(shown) == steady(printed) else printed}")
        return "```console\n" + "".join(lines) + "```"

    return _PART.sub(block, page)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with open_folder() as made:
        path.write_text(renewed(path.read_text(encoding="utf-8"), made, port), encoding="utf-8")
