"""What the platform keeps: cases its collectors found, and letters the hub handed it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from simulators import city
from simulators.plane import gauss_krueger
from simulators.urban_management.soap import elements

NEW, ACCEPTED, FINISHED, GIVEN_BACK, VOID = "new", "accepted", "finished", "returned", "void"
STATE_TITLES = {
    NEW: "待受理",
    ACCEPTED: "处置中",
    FINISHED: "已办结",
    GIVEN_BACK: "已退回",
    VOID: "已作废",
}
TIME = "%Y-%m-%d %H:%M:%S"
_DISTRICTS = frozenset({"340202", "340207", "340209"})
_BIG = {"01": "部件类", "02": "事件类"}


class Found(NamedTuple):
    """A class of the platform and what a collector writes about it. Constructed codes."""

    big: str
    small: str
    name: str
    text: str
    hours: int
    """The platform's own limit; 0: it states none."""


CLASSES = (
    Found("02", "0201", "占道经营", "流动摊点占用盲道经营", 2),
    Found("01", "0102", "污水井盖", "污水井盖破损，有异味 & 积水", 0),
    Found("01", "0103", "雨水井盖", "雨水井盖移位，存在安全隐患", 2),
    Found("01", "0137", "路灯", "路灯不亮，灯杆<编号不清>", 24),
    Found("01", "0162", "交通护栏", "护栏倒伏，伸入车道", 4),
    Found("01", "0180", "行道树", "行道树倾斜，枝条压线", 24),
    Found("02", "0202", "店外经营", "店铺把货架摆到门外", 2),
    Found("02", "0204", "机动车乱停放", "机动车停在人行道上", 2),
    Found("02", "0206", "非法小广告", "墙面张贴小广告", 4),
    Found("02", "0210", "暴露生活垃圾", "生活垃圾散落在路边", 2),
    Found("02", "0212", "道路不洁", "路面有大片油污", 4),
    Found("02", "0213", "道路破损", "人行道砖松动破损", 0),
    Found("02", "0232", "工地扬尘", "裸土未覆盖，扬尘明显", 2),
    Found("02", "0241", "道路积水", "路口积水约20厘米", 4),
)


@dataclass(frozen=True)
class Case:
    """A case of the collectors, or a letter (`letter` true) whose id is the caller's ItemID."""

    guid: str
    no: str
    title: str
    changed_at: datetime
    """To the second, as the platform stores it."""
    fields: tuple[tuple[str, str], ...] = ()
    """The elements of `Case` in the contract's order, without MaterialList."""
    photos: int = 0
    letter: str = ""
    """ItemID, when it came as a letter."""
    state: str = NEW
    reason: str = ""
    round: int = 0

    def row(self) -> dict[str, str]:
        """For the people who watch."""
        kind = "letter" if self.letter else "case"
        return {
            "id": self.letter or self.guid,
            "guid": self.guid,
            "no": self.no,
            "state": self.state,
            "title": self.title,
            "kind": kind,
            "rounds": str(self.round),
        }

    def markup(self) -> str:
        """The `Case` element of a list."""
        photos = "".join(_photo(f"{self.guid[:11]}-m{index}", index) for index in range(1, self.photos + 1))
        return f"<Case>{elements(self.fields)}<MaterialList>{photos}</MaterialList></Case>"


def found_case(dice: Random, number: int, now: datetime) -> Case:
    """The `number`-th case a collector or a citizen reports: a function of the dice, the number and the time."""
    what, where = dice.choice(CLASSES), city.spot(dice, districts=_DISTRICTS)
    collector = dice.random() < 0.75
    x, y = gauss_krueger(where.lon, where.lat)
    guid = f"cg-{dice.getrandbits(32):08x}-{number:04d}"
    no = f"{where.district_code}{now:%Y%m%d}{number % 10_000:04d}"
    limit = (now + timedelta(hours=what.hours)).strftime(TIME) if what.hours else ""
    reporter = f"采集员{dice.randrange(1, 60):03d}" if collector else "市民"
    fields = (
        ("CaseGuid", guid),
        ("CaseNo", no),
        ("CaseSource", "10" if collector else dice.choice(("20", "30", "40"))),
        ("BigClassCode", what.big),
        ("BigClassName", _BIG[what.big]),
        ("SmallClassCode", what.small),
        ("SmallClassName", what.name),
        ("CaseDesc", f"{where.address}{what.text}"),
        ("Address", where.address),
        ("GridCode", f"{where.community.code}{dice.randrange(1, 20):02d}"),
        ("CoordX", f"{x:.3f}"),
        ("CoordY", f"{y:.3f}"),
        ("ReportTime", now.strftime(TIME)),
        ("LimitTime", limit),
        ("Reporter", reporter),
        ("ReporterTel", city.masked(city.person(dice).phone) if collector else ""),
        ("IsUrgent", "1" if dice.random() < 0.1 else "0"),
    )
    photos = dice.choice((0, 1, 2)) if collector else 0
    return Case(guid, no, f"{what.name} {where.address}", now.replace(microsecond=0), fields, photos)


def _photo(guid: str, index: int) -> str:
    pairs = (
        ("MaterialInstanceGuid", guid),
        ("MaterialInstanceName", f"上报{index}.jpg"),
        ("MaterialType", "jpg"),
        ("DownLoadUrl", f"http://cg.example.gov.cn/dl?id={guid}&t=1"),
    )
    return f"<MaterialInfo>{elements(pairs)}</MaterialInfo>"
