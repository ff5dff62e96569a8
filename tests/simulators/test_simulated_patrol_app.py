"""The simulated patrol app against a door that reads multipart itself and remembers every clientUuid."""

import json
import re
import time
from collections.abc import Callable
from io import BytesIO
from math import cos, hypot, radians
from typing import Any

import pytest
from multipart import MultipartParser, parse_options_header
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from simulators.city import COMMUNITIES
from simulators.gcj02 import gcj02

NAME = "patrol_app"
SECRET = "a-secret-of-the-tests"
META: dict[str, type] = {
    "clientUuid": str, "gridCode": str, "categoryCode": str, "content": str, "lng": float, "lat": float,
    "deviceTime": int, "deviceUtcOffset": int, "patrolName": str, "patrolPhone": str, "isOffline": bool,
}  # fmt: skip


class Door:
    """Gives each clientUuid one case number, unless it is forgetful."""

    def __init__(self) -> None:
        self.forgetful = False
        self.metas: list[dict[str, Any]] = []
        self.photos: list[list[bytes]] = []
        self.bodies: list[bytes] = []
        self.tokens: set[str] = set()
        self.numbers: dict[str, str] = {}
        self.answers: list[Response] = []

    def __call__(self, request: Request, body: bytes) -> Response:
        _, options = parse_options_header(request.headers["content-type"])
        parts = list(MultipartParser(BytesIO(body), options["boundary"], len(body), strict=True))
        [meta] = [json.loads(part.raw) for part in parts if part.name == "meta"]
        self.metas.append(meta)
        self.photos.append([part.raw for part in parts if part.name == "photos"])
        self.bodies.append(body)
        self.tokens.add(request.headers["authorization"])
        if self.answers:
            return self.answers.pop(0)
        key = str(len(self.metas)) if self.forgetful else meta["clientUuid"]
        number = self.numbers.setdefault(key, f"3402{len(self.numbers):06d}")
        return JSONResponse({"code": 0, "msg": "ok", "data": {"caseNo": number}})


@pytest.fixture
def door(hub: Any) -> Door:
    hub.api = Door()
    found: Door = hub.api
    return found


def started(start: Callable[..., Any], **options: str) -> Any:
    return start(NAME, options={"door": "/api/patrol", "offline": "0"} | options)


@pytest.fixture
def side(start: Callable[..., Any], door: Door) -> Any:
    return started(start)


def test_a_finding_has_its_fields_and_up_to_three_photos(side: Any, door: Door) -> None:
    ids = side.emit(12)
    side.drained()
    assert {len(photos) for photos in door.photos} == {0, 1, 2, 3}
    assert all(photo.startswith(b"\x89PNG") for photos in door.photos for photo in photos)
    for meta in door.metas:
        assert {name: type(value) for name, value in meta.items()} == META
        assert re.fullmatch(r"1380000\d{4}", meta["patrolPhone"])
        assert (meta["deviceUtcOffset"], meta["isOffline"]) == (480, False)
    assert {meta["clientUuid"] for meta in door.metas} == set(ids)
    assert door.tokens == {f"Bearer {SECRET}"}
    assert {item["no"] for item in side.items()} == set(door.numbers.values())


def test_places_are_written_as_phones_see_them(side: Any, door: Door) -> None:
    side.emit(5)
    side.drained()
    by_code = {community.code: community for community in COMMUNITIES}
    for meta in door.metas:
        community = by_code[meta["gridCode"][:12]]
        shifted = gcj02(community.lon, community.lat)
        assert hypot(meta["lng"] - shifted[0], meta["lat"] - shifted[1]) < 0.0075


def test_the_offset_in_wuhu_is_half_a_kilometre() -> None:
    lon, lat = gcj02(118.3762, 31.3341)
    east, north = (lon - 118.3762) * 111_320 * cos(radians(31.3341)), (lat - 31.3341) * 110_900
    assert 300 < hypot(east, north) < 700
    assert (lon, lat) == pytest.approx((118.381605, 31.332248), abs=1e-6)


def test_phones_have_clocks_of_their_own(start: Callable[..., Any], side: Any, door: Door) -> None:
    side.emit(20)
    side.drained()
    now = time.time() * 1000
    offsets: dict[str, set[int]] = {}
    for meta in door.metas:
        offsets.setdefault(meta["patrolPhone"], set()).add(round((meta["deviceTime"] - now) / 10_000))
    assert len({min(seen) for seen in offsets.values()}) > 3
    assert all(max(seen) - min(seen) <= 1 for seen in offsets.values())
    door.metas.clear()
    fast = started(start, skew="86400")
    fast.emit()
    fast.drained()
    assert door.metas[0]["deviceTime"] - now > 80_000_000


def test_without_a_signal_findings_wait_and_are_then_sent_in_any_order(side: Any, door: Door) -> None:
    side.post("/_sim/offline", json={"offline": True})
    ids = side.emit(9)
    side.drained()
    assert (door.metas, {item["state"] for item in side.items()}) == ([], {"kept"})
    assert side.post("/_sim/offline", json={"offline": False}).json()["kept"] == 9
    side.drained()
    order = [meta["clientUuid"] for meta in door.metas]
    assert sorted(order) == sorted(ids)
    assert order != ids
    assert all(meta["isOffline"] for meta in door.metas)
    assert {item["state"] for item in side.items()} == {"sent"}


def test_some_findings_are_written_down_offline_by_themselves(start: Callable[..., Any], door: Door) -> None:
    side = started(start, offline="1")
    side.emit(3)
    side.drained()
    assert [meta["isOffline"] for meta in door.metas] == [True] * 3


@pytest.mark.parametrize("answer", [Response(status_code=502), Response("<html>")])
def test_in_doubt_the_same_bytes_come_again(side: Any, door: Door, answer: Response) -> None:
    door.answers = [answer]
    side.emit()
    assert side.drained()["tried_again"] == 1
    assert door.bodies[0] == door.bodies[1]


def test_an_app_sees_when_the_hub_takes_it_twice(side: Any, door: Door) -> None:
    side.behave(repeat=1)
    side.emit()
    assert side.drained()["repeated"] == 1
    assert side.summary().get("doubled", 0) == 0
    door.forgetful = True
    side.emit()
    assert side.drained()["doubled"] == 1
    assert len(side.items()[-1]["case_numbers"].split(",")) == 2


@pytest.mark.parametrize("answer", [{"code": 40001, "msg": "参数错误"}, {"code": 0, "msg": "ok", "data": {}}])
def test_a_no_is_final(side: Any, door: Door, answer: dict[str, Any]) -> None:
    door.answers = [JSONResponse(answer)]
    side.emit()
    assert side.drained()["refused"] == 1
    assert len(door.metas) == 1
    assert side.items()[0]["state"] == "refused"


def test_the_same_seed_finds_the_same_things(start: Callable[..., Any], side: Any, door: Door) -> None:
    other, third = started(start), start(NAME, options={"door": "/api/patrol"}, seed=8)
    first = side.emit(4)
    assert other.emit(4) == first
    assert set(third.emit(4)).isdisjoint(first)
    for one in (side, other, third):
        one.drained()
