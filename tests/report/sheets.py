"""Invented sheets, as small or large as a test wants them."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from assessment.sheet import Assessed, Column, Figure, Sheet
from canonical.time import SHANGHAI

NAMES = (
    "市政设施管理处", "路灯管理处", "排水管理处", "园林绿化中心", "环境卫生管理处", "生态环境局", "水务局",
    "供水抢修单位", "燃气抢修单位", "交通警察支队", "镜湖区城市管理局", "鸠江区城市管理局",
    "弋江区城市管理局", "湾沚区城市管理局",
)  # fmt: skip
GRADES = ((95, "优秀", "#1E8E3E"), (85, "良好", "#1A73E8"), (70, "合格", "#F9AB00"), (0, "不合格", "#D93025"))
COLUMNS = (
    Column("due", "应处置数", "count", formula="处置时限在本期届满的派遣单", source="GB/T 30428.4"),
    Column("disposed", "处置数", "count", formula="应处置数中已处置的"),
    Column("on_time", "按期处置数", "count"),
    Column("dispose_rate", "处置率", "percent", "high", "处置数 / 应处置数", "金牛区考核办法"),
    Column("on_time_rate", "按期处置率", "percent", "high", "按期处置数 / 应处置数", "金牛区考核办法"),
    Column("rework_rate", "返工率", "percent", "low", "返工数 / 应结案数", "金牛区考核办法"),
    Column("extension_rate", "延期率", "percent", "low", "延期数 / 应处置数"),
    Column("hours", "平均处置时长", "hours", "low", "处置用时 / 处置数"),
    Column("per_day", "日均处置数", "ratio", "", "处置数 / 日数"),
    Column("returns", "退件数", "count", "low"),
    Column("quick", "平均签收天数", "days", "low"),
    Column("points", "扣分", "score", "low"),
)


def rate(numerator: float, denominator: float) -> Figure:
    """A percentage; no base where there is nothing to divide by."""
    return Figure(round(100 * numerator / denominator, 6) if denominator else None, numerator, denominator)


def mean(numerator: float, denominator: float, of: float = 1) -> Figure:
    """How much each has, in units of so many seconds."""
    return Figure(round(numerator / denominator / of, 6) if denominator else None, numerator, denominator)


def assessed(id_: str, name: str, due: int, late: int, open_: int = 0, **changes: Any) -> Assessed:
    """One with figures that follow from three numbers."""
    done = due - open_
    figures = {
        "due": Figure(due, due), "disposed": Figure(done, done), "on_time": Figure(done - late, done - late),
        "dispose_rate": rate(done, due), "on_time_rate": rate(done - late, due), "rework_rate": rate(late // 3, due),
        "extension_rate": rate(late // 2, due), "hours": mean(done * 26100, done, 3600), "per_day": mean(done, 31),
        "returns": Figure(late // 4, late // 4), "quick": mean(done * 34560, done, 86400),
        "points": Figure(-0.5 * late if late else 0, 0),
    }  # fmt: skip
    score = round(100 * (done - late) / due, 2) if due else None
    grade = next(((title, colour) for least, title, colour in GRADES if score is not None and score >= least), ("", ""))
    given: dict[str, Any] = {"score": score, "grade": grade[0], "colour": grade[1]}
    return Assessed(id_, name, figures, **(given | changes))


def sheet(count: int = 14, /, **changes: Any) -> Sheet:
    """October 2026 by unit: ranked, with one that had nothing to do and a published figure in the sum."""
    made = [
        assessed(f"3402-u{n}", NAMES[n % 14] + "二所" * (n // 14), 40 + 17 * n, 1 + n, n // 3) for n in range(count - 1)
    ]
    made.append(assessed("3402-idle", "电信协调单位", 0, 0, notes=("本期无派遣，不参加排名",)))
    made.sort(key=lambda row: -1.0 if row.score is None else row.score, reverse=True)
    ranked = [replace(row, rank=number if row.score is not None else None) for number, row in enumerate(made, 1)]
    total = assessed("total", "全市合计", 972, 174, 61, score=None, grade="", colour="")
    given: dict[str, Any] = {
        "title": "芜湖市2026年10月处置单位考核表", "city": "芜湖市", "period": "2026-10",
        "first": datetime(2026, 10, 1, tzinfo=SHANGHAI), "last": datetime(2026, 11, 1, tzinfo=SHANGHAI), "by": "unit",
        "as_of": datetime(2026, 11, 3, 2, 0, tzinfo=SHANGHAI), "edition": 1, "rules": "2026.1/3f0c9a1b", "run": 42,
        "columns": COLUMNS, "rows": ranked, "total": total,
        "notes": ("督办案件加倍扣分。", "鸠江区清水街道 10 月 12 日并入官陡街道，按并入后计。"),
    }  # fmt: skip
    return Sheet(**(given | changes))
