"""What consumers bring to 12315, and the rows it becomes in either feed. Persons, shops and numbers are invented."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from simulators import city
from simulators.market_supervision.exchange import Row

_DAY = "%Y/%m/%d"
TIME = "%Y-%m-%d %H:%M:%S"
_UNKNOWN_TIME = "1900-01-01 00:00:01"
_ANONYMOUS = "匿名"
COMPLAINT, REPORT, CONSULTATION = "投诉", "举报", "咨询"
"""infotype."""
WAITING, ACCEPTED, DECLINED, EXTENDED, CLOSED, VOID = "0", "1", "2", "3", "9", "void"
"""State of a case: the last feedback taken, or withdrawn by the consumer."""
STATE_TITLES = {
    WAITING: "待办理", ACCEPTED: "已受理", DECLINED: "不予受理", EXTENDED: "已延期", CLOSED: "已办结", VOID: "已撤回",
}  # fmt: skip


class Subject(NamedTuple):
    """One thing people bring."""

    infotype: str
    title: str
    text: str
    shop: str
    goods: str
    keyword: str


SUBJECTS = (
    Subject(COMPLAINT, "投诉过期食品", "购买的酸奶已过保质期，要求退一赔十", "示例超市有限公司", "酸奶", "食品;过期"),
    Subject(COMPLAINT, "投诉预付卡不退", "健身房闭店，预付卡余额不予退还", "示例健身服务部", "健身卡", "预付卡"),
    Subject(COMPLAINT, "投诉家电维修", "空调保修期内维修被收取高额费用", "示例电器商行", "空调", "维修;收费"),
    Subject(
        REPORT, "举报三无产品", '网店销售"三无"充电器，外包装无厂名厂址', "示例网络科技有限公司", "充电器", "充电器"
    ),
    Subject(REPORT, "举报无证经营", "门面未公示食品经营许可证", "示例早点铺", "早点", "许可证"),
    Subject(REPORT, "举报虚假宣传", "门店宣称保健品可治疗糖尿病", "示例健康咨询服务部", "保健品", "虚假宣传"),
    Subject(CONSULTATION, "咨询注销流程", "咨询个体户注销流程", "", "", "注销"),
    Subject(CONSULTATION, "咨询许可办理", "咨询小餐饮许可证办理材料", "", "", "许可"),
)
KINDS: Mapping[str, tuple[str, ...]] = {
    "complaint": (COMPLAINT,), "report": (REPORT,), "consultation": (CONSULTATION,), "withdrawn": (COMPLAINT,),
    "registration": (COMPLAINT, REPORT), "doubled": (COMPLAINT,), "anonymous": (REPORT,),
}  # fmt: skip
"""What can happen -> of which infotypes."""
IN_VIEW = frozenset({"registration", "doubled", "anonymous"})
"""These appear in the view, the others in the national pending list."""
WEIGHTS = {
    "complaint": 35, "report": 20, "consultation": 10, "withdrawn": 5, "registration": 18, "doubled": 7, "anonymous": 5,
}  # fmt: skip
_DEADLINES = {COMPLAINT: (7, 60), REPORT: (None, 22), CONSULTATION: (None, None)}
"""infotype -> days to firstblqx and blqx."""


@dataclass(frozen=True)
class Matter:
    """One case as 12315 keeps it."""

    caseid: str
    kind: str
    title: str
    infotype: str
    rows: tuple[Row, ...]
    """As first written: one in the pending list, one or two in the view."""
    state: str = WAITING
    opinion: str = ""
    """The text of the last feedback taken."""

    def row(self) -> dict[str, str]:
        """For the people who watch."""
        feed = "anjianxx" if self.kind in IN_VIEW else "ywcl_shuntlist"
        names = {"id": self.caseid, "no": self.caseid, "state": self.state, "title": self.title}
        return {**names, "infotype": self.infotype, "table": feed, "opinion": self.opinion}


def matter(dice: Random, kind: str, number: int, now: datetime) -> Matter:
    """The `number`-th case: a function of the dice, the kind, the number and the time."""
    subject = dice.choice([one for one in SUBJECTS if one.infotype in KINDS[kind]])
    spot, who = city.spot(dice), city.person(dice)
    hidden = kind == "anonymous" or (subject.infotype == REPORT and dice.random() < 0.3)
    if kind in IN_VIEW:
        caseid = f"{spot.district_code}00{now:%Y%m%d}{number % 100_000:05d}"
        rows = _view_rows(dice, subject, spot, None if hidden else who, caseid, now, doubled=kind == "doubled")
    else:
        caseid = f"1{spot.district_code}00{now:%Y%m%d}{number % 100_000_000:08d}"
        rows = (_pending_row(dice, subject, spot, _ANONYMOUS if hidden else who.name, caseid, number, now),)
    return Matter(caseid, kind, subject.title, subject.infotype, rows)


def _view_rows(
    dice: Random, subject: Subject, spot: city.Spot, who: city.Person | None, caseid: str, now: datetime, *,
    doubled: bool,
) -> tuple[Row, ...]:  # fmt: skip
    happened = dice.random() < 0.7
    row: dict[str, str] = {
        "AJID": caseid,
        "applidique": f"消费者反映在{spot.address}{subject.text}",
        "ACCREGPER": f"示例登记员{dice.choice('ABC')}",
        "REGTIME": now.strftime(_DAY),
        "ACCSCE": spot.address if happened else "",
        "ACCTIME": now.strftime(_DAY) if happened else "",
        "KEYWORD": subject.keyword,
        "PNAME": who.name if who else _ANONYMOUS,
        "PADDR": f"{city.CITY_NAME}{spot.community.district}" if who else "",
        "PTEL": who.phone if who else "",
        "ENTADDR": spot.address,
        "ENTTEL": f"0553-{dice.randrange(1000):07d}",
        "REGDEP": subject.title,  # the view's own mistake: the column of the department carries the title
        "INVOPT": subject.shop,
        "MDSENAME": subject.goods,
        "atime": _UNKNOWN_TIME if dice.random() < 0.2 else now.strftime(TIME),
        "btime": (now - timedelta(minutes=dice.randrange(5, 600))).strftime(TIME),
    }
    if not doubled:
        return (row,)
    return row, {**row, "ENTADDR": f"{row['ENTADDR']}（二层）", "ENTTEL": f"0553-{dice.randrange(1000, 2000):07d}"}


def _pending_row(
    dice: Random, subject: Subject, spot: city.Spot, provider: str, caseid: str, number: int, now: datetime
) -> Row:
    now = now.replace(microsecond=0, tzinfo=None)  # the tables keep local time without a zone
    registered = now - timedelta(minutes=dice.randrange(3, 50))
    run = dice.randrange(10_000, 100_000)
    first, last = (registered + timedelta(days=days) if days else None for days in _DEADLINES[subject.infotype])
    return {
        "id": f"{dice.getrandbits(64):016x}",
        "caseid": caseid,
        "infotype": subject.infotype,
        "regtime": registered,
        "providername": provider,
        "invopt": subject.shop,
        "regdeptname": f"{city.CITY_NAME}市场监督管理局",
        "accregpername": f"示例登记员{dice.choice('ABC')}",
        "applidique": f"{spot.address}，{subject.text}",
        "clbmname": f"{spot.community.district}市场监督管理局",
        "regno": f"REG{now:%Y%m%d}{number % 1000:03d}",
        "runid": f"run-{run}",
        "listtype": "waitHandle",
        "updatedate": now,
        "distwhiname": "分流",
        "detailsurl": f"/tsjb/detail?id={run}",
        "regidurl": f"id%3D{run}",
        "status": "0",
        "state": "0",
        "cwcs": str(dice.choice((0, 0, 0, 1, 2))),
        "dubcs": str(dice.choice((0, 0, 0, 1))),
        "firstblqx": first,
        "blqx": last,
    }
