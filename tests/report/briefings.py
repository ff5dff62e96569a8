"""An invented briefing of one day."""

from datetime import date, datetime, timedelta
from typing import Any

from assessment.briefing import Briefing, Day, Group, Tally, Watched
from assessment.period import Span
from canonical.time import SHANGHAI

NOW = Tally(326, 290, 14, 280, 251, 240, 11, 1, 233, 9, 4, 512, 18, 43, 6)
BEFORE = Tally(314, 279, 20, 268, 260, 245, 15, 0, 240, 9, 6, 500, 21, 40, 5)


def at(text: str) -> datetime:
    """An instant of October 2026 in Shanghai: `12 08:00`."""
    return datetime.fromisoformat(f"2026-10-{text}:00").replace(tzinfo=SHANGHAI)


def group(id_: str, name: str, **counts: int) -> Group:
    """One with these counts."""
    return Group(id_, name, Tally(**counts))


def briefing(**changes: Any) -> Briefing:
    """12 October 2026, against the 11th."""
    days = [date(2026, 10, 6) + timedelta(days=number) for number in range(7)]
    given: dict[str, Any] = {
        "city": "芜湖市", "period": "2026-10-12", "title": "芜湖市城市治理日报（2026年10月12日）",
        "first": at("12 00:00"), "last": at("13 00:00"),
        "span": Span.DAY, "running": False, "as_of": at("13 02:00"), "run": 7, "total": NOW,
        "before": BEFORE,
        "sources": [
            group("hotline_12345", "芜湖 12345 热线", reported=180, filed=160),
            group("social_governance", "社会治理平台", reported=146, filed=130),
        ],
        "systems": [
            group("urban_management", "数字城管平台",
                  dispatched=200, disposed=180, on_time=171, late=9, open=390, overdue=15),
            group("social_governance", "社会治理平台",
                  dispatched=70, disposed=66, on_time=64, late=2, open=110, overdue=3),
            group("", "指挥中心坐席", dispatched=10, disposed=5, on_time=5, open=12),
        ],
        "districts": [
            group("340202", "镜湖区", reported=120, disposed=98, on_time=95, late=3, open=180),
            group("340207", "鸠江区", reported=101, disposed=80, on_time=74, late=6, open=170),
            group("340209", "弋江区", reported=105, disposed=73, on_time=71, late=2, open=162),
        ],
        "units": [
            group("3402-municipal", "市政设施管理处",
                  dispatched=60, disposed=50, on_time=44, late=6, open=120, overdue=9),
            group("3402-lighting", "路灯管理处",
                  dispatched=30, disposed=31, on_time=31, open=20),
            group("3402-drainage", "排水管理处",
                  dispatched=41, disposed=40, on_time=38, late=2, open=61, overdue=6),
        ],
        "trend": [Day(day, 300 + 7 * n, 270 + 5 * n, 250 + 3 * n) for n, day in enumerate(days)],
        "supervised": [
            Watched("3402202610010000017", "市政设施管理处", "红牌", at("11 12:00"), True),
            Watched("3402202610090000202", "排水管理处", "普通", at("14 18:00"), False),
        ],
        "joint_late": [Watched("3402202610080000105", "镜湖区城市管理局", "报到超时", at("12 10:00"), True)],
    }  # fmt: skip
    return Briefing(**(given | changes))
