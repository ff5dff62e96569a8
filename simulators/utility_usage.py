"""The simulated utility companies: what every meter of a neighbourhood used, one file a day dropped into a folder.

`usage_yyyyMMdd.csv`, GBK, CRLF, with a header line; complete once the empty `usage_yyyyMMdd.csv.ok` stands beside it.
Until then it grows: half of it is written, sometimes ending in the middle of a character. All columns are constructed:

| column | what |
|---|---|
| 表号 | meter, unique: `S`/`Q`/`D` (water, gas, power) and 8 digits |
| 户号 | household, 8 digits |
| 户名 | the householder, invented |
| 地址 | address in words, no coordinates |
| 类别 | `water`, `gas` or `power` |
| 用量 | used on that day, with two or three decimals |
| 单位 | `立方米` (GBK has no superscript three) or `kWh` |
| 日期 | the day, `yyyy-MM-dd` |
| 预警代码 | alert code, mostly empty, see `ALERTS` |
| 预警说明 | the same in words |

An alert concerns one meter and one day; a file has between none and several.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulators import city
from simulators.door import happening
from simulators.system import Setup, System

COLUMNS = ("表号", "户号", "户名", "地址", "类别", "用量", "单位", "日期", "预警代码", "预警说明")
_CODEC = "gbk"
_BROKEN = b"S99999999,99999999,\xff\xff,,water\r\n"
"""A line that is neither GBK nor as long as the header."""
GROWING, COMPLETE, LEFT = "growing", "complete", "left"


class Utility(NamedTuple):
    """One kind of meter. `usual`: from and to on an ordinary day, in `unit`."""

    letter: str
    kind: str
    unit: str
    decimals: int
    usual: tuple[float, float]


UTILITIES = (
    Utility("S", "water", "立方米", 3, (0.08, 0.62)),
    Utility("Q", "gas", "立方米", 3, (0.05, 1.40)),
    Utility("D", "power", "kWh", 2, (1.2, 14.5)),
)


class Alert(NamedTuple):
    """An alert of the companies' own rules. `usage`: what the meter shows then."""

    code: str
    kind: str
    text: str
    usage: float


ALERTS = (
    Alert("W12H", "water", "独居老人12小时用水量低于0.01立方米", 0.004),
    Alert("W24H", "water", "独居老人24小时未用水", 0.0),
    Alert("WBURST", "water", "夜间持续大流量，疑似户内漏水", 6.315),
    Alert("GLONG", "gas", "燃气连续使用超过6小时", 5.120),
    Alert("P48H", "power", "独居老人用电量低于日常的10%", 0.09),
)


@dataclass(frozen=True)
class Drop:
    """One file as the companies remember it."""

    name: str
    day: date
    rows: int
    alerts: int
    state: str = GROWING

    def row(self) -> dict[str, str]:
        """For the people who watch."""
        title = f"{self.day:%Y-%m-%d} {self.rows} 行 {self.alerts} 条预警"
        figures = {"rows": str(self.rows), "alerts": str(self.alerts)}
        return {"id": self.name, "no": self.name, "state": self.state, "title": title, **figures}


class UtilityUsage(System):
    """水电气公司. A case is a day: `rate` days a minute. `pace` is how long a file is half-written.

    Options: `folder` (without one a temporary folder that goes when the system stops; `/_sim/folder` tells which);
    `households`; `alerts`, the share of households with an alert on a day; `start`, the first day as `yyyy-MM-dd`.
    `/_sim/happen`: `day`; `again`, the newest day dropped once more under its name; `alert`, a day with an alert for
    certain; `half`, a day that stays half-written; `broken`, a day with a line nobody can read.
    """

    name = "utility_usage"
    title = "模拟水电气用量日报"
    state_titles = {GROWING: "写入中", COMPLETE: "已完成", LEFT: "未写完"}
    options = frozenset({"folder", "households", "alerts", "start"})

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        given = setup.options
        self._folder = Path(given["folder"]).resolve() if given.get("folder") else None
        self._households = int(given.get("households", "40"))
        self._share = float(given.get("alerts", "0.02"))
        self._start = date.fromisoformat(given["start"]) if given.get("start") else self.now().date()
        self._drops: dict[str, Drop] = {}
        self._newest: tuple[Drop, bytes] | None = None

    def routes(self) -> list[BaseRoute]:
        """Only control doors: nobody calls the companies."""
        return [
            happening(("day", "again", "alert", "half", "broken"), self._happen),
            Route("/_sim/folder", self._show_folder),
        ]

    def items(self) -> list[dict[str, str]]:
        """The files."""
        return [drop.row() for drop in self._drops.values()]

    def create(self, number: int) -> str:
        """The `number`-th day passes."""
        return self._drop(number, "day")

    async def work(self) -> None:
        """As every system, in a folder that is there."""
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            await super().work()
            return
        with TemporaryDirectory(prefix="gridhub-usage-") as folder:
            self._folder = Path(folder)
            await super().work()

    def _happen(self, kind: str) -> str:
        if kind == "again" and self._newest is not None:
            drop, data = self._newest
            self.spawn(self._written(drop, data))
            return drop.name
        self.counts["emitted"] += 1
        return self._drop(self.counts["emitted"], kind)

    async def _show_folder(self, _request: Request) -> Response:
        return JSONResponse({"folder": str(self._folder)})

    def _drop(self, number: int, kind: str) -> str:
        day = self._start + timedelta(days=number - 1)
        dice = self.dice("day", number)
        rows = list(_rows(dice, self.dice("people"), day, self._households, self._share, certain=kind == "alert"))
        drop = Drop(f"usage_{day:%Y%m%d}.csv", day, len(rows), sum(1 for row in rows if row[8]))
        data = _csv(rows) + (_BROKEN if kind == "broken" else b"")
        self._newest = drop, data
        self.spawn(self._written(drop, data, whole=kind != "half"))
        return drop.name

    async def _written(self, drop: Drop, data: bytes, *, whole: bool = True) -> None:
        assert self._folder is not None  # at work
        path = self._folder / drop.name
        marker = path.with_name(f"{path.name}.ok")
        marker.unlink(missing_ok=True)  # of the same day, dropped before
        middle = _inside_a_character(data)
        path.write_bytes(data[:middle])
        self._drops[drop.name] = replace(drop, state=GROWING if whole else LEFT)
        if not whole:
            return
        await self.step()
        with path.open("ab") as file:
            file.write(data[middle:])
        marker.touch()
        self.counts["dropped"] += 1
        self._drops[drop.name] = replace(drop, state=COMPLETE)


def _rows(
    dice: Random, people: Random, day: date, households: int, share: float, *, certain: bool
) -> Iterator[tuple[str, ...]]:
    """Every meter of every household, in order. `people` decides who lives where, and is the same every day."""
    chosen = dice.randrange(households) if certain else -1
    for number in range(1, households + 1):
        who, where = city.person(people), city.spot(people)
        alert = dice.choice(ALERTS) if dice.random() < share or number - 1 == chosen else None
        for utility in UTILITIES:
            usage = dice.uniform(*utility.usual)
            code, text = "", ""
            if alert and alert.kind == utility.kind:
                usage, code, text = alert.usage, alert.code, alert.text
            yield (
                f"{utility.letter}{number:08d}", f"{number:08d}", who.name, where.address, utility.kind,
                f"{usage:.{utility.decimals}f}", utility.unit, day.isoformat(), code, text,
            )  # fmt: skip


def _csv(rows: list[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([COLUMNS, *rows])
    return text.getvalue().encode(_CODEC)


def _inside_a_character(data: bytes) -> int:
    """A place past the middle that cuts a character of two bytes; the middle when there is none."""
    # No byte below 0x40 is a second byte in GBK, so what follows one begins a character.
    leads = (at for at in range(len(data) // 2, len(data)) if data[at] > 0x7F and data[at - 1] < 0x40)
    return next(leads, len(data) // 2 - 1) + 1
