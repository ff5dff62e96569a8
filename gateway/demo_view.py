"""What `gridhub demo` shows: a live picture on a terminal, plain lines elsewhere, a summary at the end."""

from typing import Any

from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from canonical.case import Queue
from canonical.lifecycle import STAGE_TITLES, Stage
from gateway.views import View

QUEUE_TITLES = {
    Queue.LOCATION_UNKNOWN: "位置不明",
    Queue.CLASS_UNKNOWN: "类别不明",
    Queue.TO_FILE: "待立案",
    Queue.TO_VERIFY: "待核实",
    Queue.NO_OWNER: "待派遣",
    Queue.RETURNED: "退件待定",
    Queue.AT_DESK: "席位代办",
    Queue.TO_CHECK: "待核查",
    Queue.TO_CLOSE: "待结案",
}
SHORT = {"hotline_12345": "12345热线", "urban_management": "城管", "social_governance": "社会治理", "": "中心 centre"}
"""Short names of the demonstration's systems, for narrow screens."""
_LINES_EVERY = 10


class QuietView:
    """One line now and then on standard error."""

    def __init__(self, console: Console) -> None:
        self.console, self._shown = console, 0

    def step(self, text: str) -> None:
        """A line for each part."""
        self.console.print(f"starting {text} ...", highlight=False)

    def say(self, text: str) -> None:
        """A line that stays."""
        self.console.print(text, highlight=False, soft_wrap=True)

    def show(self, summary: View, _latest: list[View], left: float) -> None:
        """A line every few seconds."""
        self._shown += 1
        if self._shown % _LINES_EVERY == 1:
            self.console.print(one_line(summary, left), highlight=False)

    def end(self) -> None:
        """Nothing to put away."""


class LiveView:
    """A picture that redraws itself; on a pipe it falls back to lines."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._lines = QuietView(console)
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._drawing = False

    def step(self, text: str) -> None:
        """A line for each part."""
        self._lines.step(text)

    def say(self, text: str) -> None:
        """A line above the picture."""
        self._lines.say(text)

    def show(self, summary: View, latest: list[View], left: float) -> None:
        """The picture."""
        if self._live is None:
            self._lines.show(summary, latest, left)
            return
        if not self._drawing:
            self._live.start()
            self._drawing = True
        self._live.update(picture(summary, latest, left), refresh=True)

    def end(self) -> None:
        """Leave the last picture on the screen."""
        if self._live is not None and self._drawing:
            self._live.stop()


def one_line(summary: View, left: float) -> str:
    """`31 s left: 20 in, 18 cases, 4 closed, ...`."""
    reports, cases, messages = summary["reports"], summary["cases"], summary["messages"]
    return (
        f"{left:4.0f} s left: {reports['in']} reports in, {cases['all']} cases, {cases['closed']} closed, "
        f"{cases['overdue']} overdue, {messages['acknowledged']}/{messages['all']} messages taken, "
        f"{messages['parked'] + messages['refused']} parked"
    )


def picture(summary: View, latest: list[View], left: float) -> Panel:
    """How the city stands, 80 columns wide and more."""
    reports, cases, messages = summary["reports"], summary["cases"], summary["messages"]
    flow = _counts(
        "reports 上报",
        [("in 收到", reports["in"]), ("cases 成案", reports["cases"]), ("joined 并入", reports["joined"]),
         ("refused 拒收", reports["refused"]), ("quarantined 隔离", reports["quarantined"])],
    )  # fmt: skip
    state = _counts(
        "cases 案件",
        [("open 在办", cases["open"]), ("closed 办结", cases["closed"]), ("overdue 超期", cases["overdue"]),
         ("sent 已送达", messages["acknowledged"]), ("waiting 待送", messages["waiting"]),
         ("parked 待人工", messages["parked"] + messages["refused"])],
    )  # fmt: skip
    owners = _counts("with whom 在谁手里", [(SHORT[name], count) for name, count in sorted(summary["owners"].items())])
    queues = _counts(
        "centre's queues 中心待办",
        [(QUEUE_TITLES[Queue(name)], count) for name, count in sorted(summary["queues"].items())],
    )
    title = f"gridhub demo · {left:.0f} s left" if left > 0 else "gridhub demo · draining 收尾"
    return Panel(Group(Columns([flow, state]), Columns([owners, queues]), _journeys(latest)), title=title)


def _counts(title: str, rows: list[tuple[str, int]]) -> Table:
    table = Table(title=title, title_justify="left", box=None, show_header=False, pad_edge=False, width=37)
    table.add_column(ratio=1)
    table.add_column(justify="right", style="bold")
    for name, count in rows:
        table.add_row(name, str(count))
    return table


def _journeys(latest: list[View]) -> Table:
    table = Table(title="last journeys 最近动态", title_justify="left", box=None, show_header=False, pad_edge=False)
    for view in latest:
        way = f"{SHORT[view['source']]} → {SHORT[view['owner']]}"
        title = Text(view["title"] or view["description"], overflow="ellipsis", no_wrap=True)
        table.add_row(view["no"][-9:], STAGE_TITLES[Stage(view["stage"])], way, title)
    return table


def print_summary(summary: dict[str, Any]) -> None:
    """The last word: figures, and each equation with its mark."""
    console = Console()
    reports, cases, messages = summary["reports"], summary["cases"], summary["messages"]
    seconds = summary["seconds"]
    console.print(f"\n[bold]Summary 小结[/bold] ({seconds['whole']} s, of which {seconds['start']} s to start)")
    for name, part in (("reports 上报", reports), ("cases 案件", cases), ("messages 消息", messages)):
        console.print(f"  {name}: " + ", ".join(f"{count} {word}" for word, count in part.items()), highlight=False)
    stages = ", ".join(f"{STAGE_TITLES[Stage(stage)]} {count}" for stage, count in sorted(summary["stages"].items()))
    console.print(f"  stages 阶段: {stages}", highlight=False)
    for equation, holds in summary["balance"]["equations"].items():
        console.print(f"  [{'green' if holds else 'red'}]{'✓' if holds else '✗'}[/] {equation}", highlight=False)
    words = "The books balance. 账目相符" if summary["balance"]["holds"] else "The books do NOT balance. 账目不符"
    console.print(f"[bold]{words}[/bold]")
