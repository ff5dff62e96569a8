"""An event of the platform and the record it is pushed as: integers as strings, dates without leading zeros."""

from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import NamedTuple

from simulators import city

TO_EXAMINE, QUALIFIED, WORKING, DONE, REFUSED = 0, 1, 2, 3, 9
"""ES."""
ES_TITLES = {TO_EXAMINE: "待审核", QUALIFIED: "已入格", WORKING: "处置中", DONE: "已办结", REFUSED: "不予受理"}
_QUALIFIED_TITLES = {0: "未入格", 1: "已入格"}


class Category(NamedTuple):
    """A category of the platform and what residents write about it. Constructed codes."""

    big: int
    big_name: str
    small: str
    small_name: str
    text: str


CATEGORIES = (
    Category(1, "矛盾纠纷", "0101", "邻里纠纷", "楼上漏水，两家多次争吵，希望调解"),
    Category(1, "矛盾纠纷", "0102", "物业纠纷", "住户与物业因停车收费起争执"),
    Category(2, "安全隐患", "0201", "消防隐患", "楼道内给电动车充电，电线私拉"),
    Category(2, "安全隐患", "0202", "占用消防通道", "消防通道被车辆堵住"),
    Category(3, "环境卫生", "0302", "垃圾堆放", "楼道口堆放建筑垃圾，影响通行"),
    Category(3, "环境卫生", "0301", "道路不洁", "小区门口路面污水横流"),
    Category(3, "环境卫生", "0303", "暴露垃圾", "垃圾桶旁散落大量生活垃圾"),
    Category(3, "环境卫生", "0308", "乱堆杂物", "公共绿地堆放旧家具"),
    Category(4, "市容秩序", "0401", "占道经营", "早点摊占用人行道"),
    Category(4, "市容秩序", "0407", "非机动车乱停", "单元门口停满电动车，进出困难"),
    Category(4, "市容秩序", "0408", "噪声扰民", "底商音响声音过大"),
    Category(5, "公共设施", "0501", "路灯损坏", "小区南门路灯损坏"),
    Category(5, "公共设施", "0505", "健身设施", "健身器材螺丝松动"),
    Category(5, "公共设施", "0508", "道路积水", "小区门口雨后积水"),
)


@dataclass(frozen=True)
class Place:
    """Divisions and grid as the record writes them; empty when the caller named none."""

    county: tuple[str, str] = ("", "")
    town: tuple[str, str] = ("", "")
    village: tuple[str, str] = ("", "")
    work_grid: tuple[str, str] = ("", "")
    base_grid: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Event:
    """One event: a resident's snapshot or one the hub reported."""

    id: int
    big: int
    big_name: str
    small: str
    small_name: str
    open_id: str
    """CollectorOpenId: a resident's, or whatever the caller gave."""
    name: str
    phone: str
    text: str
    address: str
    photos: tuple[str, ...]
    lon: float
    lat: float
    created_at: datetime
    place: Place = Place()
    es: int = TO_EXAMINE
    qualified: int = 0
    ours: bool = True
    """A resident's snapshot; False: the hub reported it."""
    round: int = 0
    reply: str = ""
    disposer: str = ""
    disposed_at: datetime | None = None

    def row(self) -> dict[str, str]:
        """For the people who watch."""
        return {
            "id": str(self.id),
            "no": str(self.id),
            "state": str(self.es),
            "title": f"{self.small_name} {self.address}",
            "kind": "snapshot" if self.ours else "reported",
            "reference": self.open_id,
            "rounds": str(self.round),
        }

    def record(self) -> dict[str, object]:
        """As the platform serialises it."""
        replied = bool(self.reply)
        done = replied and self.es == DONE
        place = self.place
        return {
            "Id": str(self.id),
            "BCategoryId": str(self.big),
            "BCategoryName": self.big_name,
            "SCategoryId": self.small,
            "SCategoryName": self.small_name,
            "CollectorOpenId": self.open_id,
            "CollectorName": self.name,
            "CollectorMobilePhone": self.phone,
            "EventDesc": self.text,
            "EventAddress": self.address,
            "EventPhotos": list(self.photos),
            "ES": self.es,
            "ESDesc": ES_TITLES[self.es],
            "IsQualified": self.qualified,
            "IsQualifiedDesc": _QUALIFIED_TITLES[self.qualified],
            "Disposer": self.disposer,
            "DisposerMobilePhone": "13800009999" if self.disposer else "",
            "DisposerOrg": "示例网格服务站" if self.disposer else "",
            "ReplyStatusDesc": "已回复" if replied else "未回复",
            "ReplyDesc": self.reply,
            "ReplyPhotos": [f"http://city.example.gov.cn/r/{self.id}.jpg"] if done else [],
            "DisposeDate": written(self.disposed_at) if self.disposed_at else "",
            "CityId": city.CITY_CODE,
            "CityName": city.CITY_NAME,
            **_pair("County", place.county),
            **_pair("Town", place.town),
            **_pair("Village", place.village),
            **_pair("WorkGrid", place.work_grid),
            "BaseGridId": place.base_grid[0],
            "BaseGrid": place.base_grid[1],
            "Range": {"Longitude": self.lon, "Latitude": self.lat},
            "CDate": written(self.created_at),
        }


def snapshot(dice: Random, event_id: int, now: datetime) -> Event:
    """What a resident photographed: a function of the dice, the id and the time."""
    what, where, who = dice.choice(CATEGORIES), city.spot(dice), city.person(dice)
    community, grid = where.community, dice.randrange(1, 9)
    photos = tuple(f"http://city.example.gov.cn/p/{event_id}-{index}.jpg" for index in range(1, dice.randrange(2, 4)))
    place = Place(
        county=(where.district_code, community.district),
        town=(where.street_code, community.street),
        village=(community.code, community.name),
        work_grid=(str(grid), f"{community.name}第{grid}网格"),
        base_grid=(str(80 + grid), f"{grid}-2"),
    )
    return Event(
        id=event_id,
        big=what.big,
        big_name=what.big_name,
        small=what.small,
        small_name=what.small_name,
        open_id=f"o-demo-openid-{dice.randrange(10_000):04d}",
        name=who.name,
        phone=who.phone,
        text=what.text,
        address=where.address,
        photos=photos,
        lon=where.lon,
        lat=where.lat,
        created_at=now,
        place=place,
    )


def written(moment: datetime) -> str:
    """`2026/3/16 9:12:33`: no leading zeros in date and hour, no zone."""
    return f"{moment.year}/{moment.month}/{moment.day} {moment.hour}:{moment:%M:%S}"


def _pair(name: str, pair: tuple[str, str]) -> dict[str, object]:
    return {f"{name}Id": pair[0], f"{name}Name": pair[1]}
