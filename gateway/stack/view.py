"""What `gridhub stack` shows: a live table on a terminal, a line for each change elsewhere. 80 columns are enough."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gateway.stack.supervisor import State, Status

_STYLES = {State.UP: "green", State.STARTING: "yellow", State.ILL: "red", State.DEAD: "red", State.STOPPED: "dim"}


class StackView:
    """Shows one stack. On a pipe it tells only what has changed."""

    def __init__(self, console: Console, folder: Path) -> None:
        self.console, self.folder = console, folder
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._told: dict[str, tuple[State, int]] = {}

    def say(self, text: str) -> None:
        """A line that stays."""
        self.console.print(text, highlight=False, soft_wrap=True)

    def show(self, rows: Sequence[Status], figures: str) -> None:
        """The table as it stands."""
        if self._live is None:
            self._tell(rows)
            return
        self._live.start()
        self._live.update(Group(table(rows, self.folder), Text(figures, style="dim")), refresh=True)

    def end(self) -> None:
        """Leave the last table on the screen."""
        if self._live is not None:
            self._live.stop()

    def _tell(self, rows: Sequence[Status]) -> None:
        for row in rows:
            before = self._told.get(row.name)
            if before != (row.state, row.restarts):
                self._told[row.name] = (row.state, row.restarts)
                again = f", started again {row.restarts} times" if row.restarts else ""
                self.say(f"{row.name}: {row.state}{again}")


def table(rows: Sequence[Status], folder: Path) -> Table:
    """One line a process."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (
        ("service", "left"), ("pid", "right"), ("port", "right"), ("state", "left"), ("up", "right"),
        ("restarts", "right"), ("log", "left"),
    ):  # fmt: skip
        made.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for row in rows:
        state = Text(row.state, style=_STYLES[row.state])
        log = row.log.relative_to(folder) if row.log.is_relative_to(folder) else row.log
        made.add_row(
            row.name, f"{row.pid or ''}", f"{row.port or ''}", state, _long(row.seconds) if row.pid else "",
            f"{row.restarts or ''}", f"{log}",
        )  # fmt: skip
    return made


def _long(seconds: float) -> str:
    """`7s`, `12m`, `3h`, `2d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f}{unit}"
    return f"{seconds:.0f}s"
