"""Where and who: real divisions of Wuhu 芜湖, invented spots in them, invented people.

Division codes and names are facts of the statistics bureau's list. Roads carry the word 示例, house numbers and persons
are made up, telephone numbers lie in 1380000xxxx.
"""

from random import Random
from typing import NamedTuple

CITY_CODE, CITY_NAME = "3402", "芜湖市"


class Community(NamedTuple):
    """A community with a point well inside its district (CGCS2000 degrees)."""

    code: str
    """12 digits; its first 6 and 9 are district and street."""
    district: str
    street: str
    name: str
    lon: float
    lat: float


COMMUNITIES = (
    Community("340202015005", "镜湖区", "范罗山街道", "滨江社区", 118.3700, 31.3460),
    Community("340202015004", "镜湖区", "范罗山街道", "青山街社区", 118.3762, 31.3440),
    Community("340202016003", "镜湖区", "赭山街道", "凤凰山社区", 118.3762, 31.3341),
    Community("340202016006", "镜湖区", "赭山街道", "狮子山社区", 118.3829, 31.3476),
    Community("340207003026", "鸠江区", "官陡街道", "官陡门社区", 118.4200, 31.3700),
    Community("340207003020", "鸠江区", "官陡街道", "星辰社区", 118.4300, 31.3600),
    Community("340209002009", "弋江区", "马塘街道", "马饮社区", 118.3800, 31.2900),
    Community("340209002004", "弋江区", "马塘街道", "洪桥社区", 118.3900, 31.2800),
    Community("340209001012", "弋江区", "中南街道", "芜南社区", 118.3750, 31.3000),
    Community("340210100017", "湾沚区", "湾沚镇", "阳光社区", 118.5750, 31.1400),
)
_ROADS = ("北京路示例段", "长江路示例段", "利民路示例段", "文化路示例段", "中山路示例段", "赤铸山路示例段")
_SPOTS = ("东门外", "西侧人行道", "与示例路交叉口", "公交站旁", "菜市场门口", "幼儿园对面", "3栋楼下", "桥头")
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_SPREAD = 0.005
"""Half the side of the square the invented spots of a community lie in, degrees: about 500 m."""


class Spot(NamedTuple):
    """One place where something happens."""

    community: Community
    address: str
    lon: float
    lat: float

    @property
    def district_code(self) -> str:
        """6 digits."""
        return self.community.code[:6]

    @property
    def street_code(self) -> str:
        """9 digits."""
        return self.community.code[:9]


class Person(NamedTuple):
    """An invented citizen."""

    name: str
    sex: str
    """1 man, 2 woman."""
    phone: str


def spot(dice: Random, *, districts: frozenset[str] | None = None) -> Spot:
    """Somewhere in the city, or in one of these districts (6-digit codes)."""
    choices = [one for one in COMMUNITIES if districts is None or one.code[:6] in districts]
    community = dice.choice(choices)
    words = f"{dice.choice(_ROADS)}{dice.randrange(1, 200)}号{dice.choice(_SPOTS)}"
    return Spot(
        community=community,
        address=f"{community.district}{community.street}{community.name}{words}",
        lon=round(community.lon + dice.uniform(-_SPREAD, _SPREAD), 6),
        lat=round(community.lat + dice.uniform(-_SPREAD, _SPREAD), 6),
    )


def person(dice: Random) -> Person:
    """Somebody who does not exist."""
    sex = dice.choice("12")
    return Person(name=f"{dice.choice(_SURNAMES)}某某", sex=sex, phone=f"1380000{dice.randrange(10_000):04d}")


def masked(phone: str) -> str:
    """`138****0001`, as platforms show a number they do not want to give away."""
    return f"{phone[:3]}****{phone[-4:]}"
