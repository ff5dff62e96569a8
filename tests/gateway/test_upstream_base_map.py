"""Base maps at the map door: from what is kept, else from the service, whose token stays here; never a 502."""

import concurrent.futures
import json
import logging
import os
import pwd
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from canonical.rights import Scope
from connectors.ogc.pyramid import DEGREES, MERCATOR, levels
from connectors.ogc.reading import read
from gateway.upstream import source
from gateway.upstream.base_map import BaseMapService
from gateway.upstream.keeping import opened
from maps.request import Answer, Request
from tests.connectors.ogc_place import TOKEN, Place, colour, seen, tianditu, tile, upstream
from tests.gateway.upstream_city import BOX, registered, wmts
from tests.ports import find_port

NOON = datetime(2026, 11, 27, 4, 0, tzinfo=UTC)
CENTRE, PUBLIC = Scope("centre"), Scope("public", public=True)
CACHE: dict[str, Any] = {"zooms": [5, 12], "box": BOX, "rate": 1000, "age": "30d"}
URL = "https://city.example/ogc/base"


def _inside(zoom: int = 10) -> tuple[int, int, int]:
    columns, rows = MERCATOR.columns_and_rows(zoom, (118.4, 31.35, 118.4, 31.35))
    return zoom, columns[0], rows[0]


INSIDE = _inside()


class Door:
    """The service, and a clock that the test sets."""

    def __init__(self, at: Path, entries: Mapping[str, Any]) -> None:
        self.now = NOON
        self.upstream = registered(at, entries)
        self.service = BaseMapService(self.upstream, at / "tiles", lambda: self.now)
        self.at = at

    def get(
        self, path: str = "", pairs: list[tuple[str, str]] | None = None, scope: Scope = CENTRE, method: str = "GET"
    ) -> Answer:  # fmt: skip
        return self.service.answer(Request(method, path, pairs or [], scope, self.now, URL))

    def tile(self, one: tuple[int, int, int] = INSIDE, **more: Any) -> Answer:
        return self.get("/base/{}/{}/{}".format(*one), **more)

    def keep(self, one: tuple[int, int, int], *, at: datetime = NOON) -> None:
        with opened(self.upstream["base"], self.at / "tiles") as file:
            file.put([(one, tile(*one))], now=at)


@pytest.fixture
def place() -> Iterator[Place]:
    with upstream(Place(tianditu(), token=TOKEN)) as running:
        yield running


@pytest.fixture
def door(tmp_path: Path, place: Place) -> Iterator[Door]:
    made = Door(tmp_path, {"base": wmts(place, cache=CACHE)})
    yield made
    made.service.close()


def _body(answer: Answer) -> bytes:
    assert isinstance(answer.body, bytes)
    return answer.body


def test_a_tile_is_passed_through_once_and_kept(door: Door, place: Place) -> None:
    first, second = door.tile(), door.tile()

    assert (first.status, first.content_type, seen(_body(first))) == (200, "image/png", colour(*INSIDE))
    assert len(place.paths("gettile")) == 1
    assert second.body == first.body
    assert second.headers["etag"] == first.headers["etag"]
    assert first.headers["cache-control"] == "max-age=86400"


def test_an_ending_of_the_name_is_taken_too(door: Door) -> None:
    assert door.get("/base/{}/{}/{}.png".format(*INSIDE)).status == 200


def test_what_is_kept_is_served_when_nobody_is_there(tmp_path: Path) -> None:
    away = Place(b"", url=f"http://127.0.0.1:{find_port()}/maps")
    door = Door(tmp_path, {"base": wmts(away, cache=CACHE)})
    door.keep(INSIDE)

    assert door.tile().status == 200
    missing = door.tile(_inside(12))
    assert (missing.status, missing.headers["retry-after"]) == (504, "30")
    assert b"unreachable" in _body(missing)
    door.service.close()


def test_an_old_tile_is_asked_for_anew_and_served_as_it_is_when_that_fails(door: Door, place: Place) -> None:
    door.keep(INSIDE, at=NOON - timedelta(days=31))
    place.fault, place.faulty = "status", frozenset({"gettile"})
    stale = door.tile()
    place.fault = ""
    fresh = door.tile()

    assert (stale.status, stale.headers["cache-control"]) == (200, "max-age=60")
    assert "warning" in stale.headers
    assert "warning" not in fresh.headers
    assert len(place.paths("gettile")) == 2


@pytest.mark.parametrize(
    "one", [(4, 13, 6), (13, 6788, 3344), (10, 0, 0), (10, 847, 1000), (10, 5000, 5000), (99, 0, 0)]
)
def test_what_lies_outside_is_not_there_and_asks_nobody(door: Door, place: Place, one: tuple[int, int, int]) -> None:
    assert door.tile(one).status == 404
    assert place.asked == []


@pytest.mark.parametrize(
    "path",
    ["/base", "/none/5/1/1", "/base/1/1", "/base/a/b/c", "/base/-1/0/0", "/base/5/1/1/1", "/../base/5/1/1",
     "/base/5/1e3/1", "/base/٥/1/1", "/base/5/1/" + "9" * 400],
)  # fmt: skip
def test_a_path_that_is_no_tile_is_not_found(door: Door, path: str) -> None:
    assert door.get(path).status == (200 if path == "/base" else 404)


@pytest.mark.parametrize("fault", ["status", "html", "exception", "half", "hang_up", "json", "elsewhere", "huge"])
@pytest.mark.parametrize("request_", ["getcapabilities", "gettile"])
def test_whatever_the_service_does_the_client_hears_504_without_the_token(
    door: Door, place: Place, fault: str, request_: str, caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    place.fault, place.faulty, place.elsewhere = fault, frozenset({request_}), "http://127.0.0.1:9"
    answer = door.tile()
    said = capsys.readouterr()

    assert answer.status == 504
    for text in (_body(answer).decode(), str(answer.headers), caplog.text, said.out, said.err):
        assert "7f3a" not in text


def test_a_tile_that_the_service_has_not_is_not_there(door: Door, place: Place) -> None:
    place.capabilities = tianditu(range(1, 9))

    assert door.tile().status == 404


def test_a_service_that_is_away_is_not_asked_by_every_client(door: Door, place: Place) -> None:
    place.fault = "hang_up"
    for column in range(5):
        assert door.tile((12, _inside(12)[1] + column % 2, _inside(12)[2])).status == 504

    assert len(place.asked) == 1


def test_who_asks_for_the_same_meanwhile_gets_the_same(door: Door, place: Place) -> None:
    place.pause = 0.1
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: door.tile(), range(8)))

    assert {answer.status for answer in answers} == {200}
    assert len(place.paths("gettile")) == 1


def test_a_service_that_hangs_holds_a_client_no_longer_than_the_limit(
    door: Door, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(source, "TIMEOUT", 0.3)
    place.fault, place.faulty = "slow", frozenset({"gettile"})

    assert door.tile().status == 504


def test_without_passing_through_only_what_was_fetched_is_there(tmp_path: Path, place: Place) -> None:
    door = Door(tmp_path, {"base": wmts(place, cache={**CACHE, "pass_through": False})})
    door.keep(INSIDE, at=NOON - timedelta(days=400))

    assert door.tile().status == 200
    assert door.tile(_inside(12)).status == 404
    assert place.asked == []
    door.service.close()


def test_a_folder_that_cannot_be_written_keeps_nothing_and_serves_all_the_same(tmp_path: Path, place: Place) -> None:
    (tmp_path / "tiles").write_bytes(b"a file where the folder should be")
    door = Door(tmp_path, {"base": wmts(place, cache=CACHE)})

    assert [door.tile().status, door.tile().status] == [200, 200]
    assert len(place.paths("gettile")) == 2
    door.service.close()


def test_a_file_that_breaks_under_it_is_passed_over(door: Door, place: Place) -> None:
    assert door.tile().status == 200
    path = door.at / "tiles" / "base.mbtiles"
    whole = path.read_bytes()
    changed = whole[:24] + b"\xfe" * 4 + whole[28:100]  # its counter of changes: what is in memory counts no more
    path.write_bytes(changed + b"\xff" * (len(whole) - 100))

    assert door.tile().status == 200
    assert len(place.paths("gettile")) == 2


def test_the_public_sees_what_is_declared_public(tmp_path: Path, place: Place) -> None:
    open_, shut = wmts(place, cache={**CACHE, "public": True}), wmts(place, cache=CACHE)
    door = Door(tmp_path, {"base": shut, "open": open_})

    assert door.tile(scope=PUBLIC).status == 404
    assert door.get("/open/{}/{}/{}".format(*INSIDE), scope=PUBLIC).status == 200
    assert [one["id"] for one in json.loads(_body(door.get(scope=PUBLIC)))["base_maps"]] == ["open"]
    assert [one["id"] for one in json.loads(_body(door.get()))["base_maps"]] == ["base", "open"]
    door.service.close()


def test_it_introduces_itself_as_tilejson(door: Door) -> None:
    view = json.loads(_body(door.get("/base.json")))

    assert view["tiles"] == [f"{URL}/base/{{z}}/{{x}}/{{y}}"]
    assert (view["minzoom"], view["maxzoom"], view["crs"], view["attribution"]) == (5, 12, "EPSG:3857", "天地图")


# --- as WMTS ---


def _query(**values: object) -> list[tuple[str, str]]:
    return [("service", "WMTS"), *((name, str(value)) for name, value in values.items())]


def test_its_own_capabilities_are_read_by_its_own_reader(tmp_path: Path, place: Place) -> None:
    door = Door(tmp_path, {"base": wmts(place, cache=CACHE, title="底图 <1>"),
                           "degrees": wmts(place, cache=CACHE, crs="EPSG:4490", matrix_set="c")})  # fmt: skip
    found = read(_body(door.get(pairs=_query(request="GetCapabilities"))))

    assert [(one.name, one.title, one.box, one.matrix_sets) for one in found.layers] == [
        ("base", "底图 <1>", tuple(BOX), ("w",)), ("degrees", "degrees", tuple(BOX), ("c",)),
    ]  # fmt: skip
    for pyramid, name in ((MERCATOR, "w"), (DEGREES, "c")):
        matrix_set = found.matrix_set(name)
        assert matrix_set is not None
        assert {zoom: one.name for zoom, one in levels(pyramid, matrix_set).items()} == {
            n: str(n) for n in range(5, 13)
        }
    assert found.layers[0].templates == (f"{URL}/base/{{TileMatrix}}/{{TileCol}}/{{TileRow}}",)
    door.service.close()


def test_a_tile_by_query_is_the_tile_by_path(door: Door) -> None:
    zoom, column, row = INSIDE
    by_query = door.get(pairs=_query(REQUEST="GetTile", Layer="base", tilematrix=zoom, tilecol=column, tilerow=row))

    assert by_query.body == door.tile().body


@pytest.mark.parametrize(
    ("values", "status", "code"),
    [
        ({"request": "GetTile", "layer": "base", "tilematrix": 10, "tilecol": 0, "tilerow": 0}, 404, "TileOutOfRange"),
        ({"request": "GetTile", "layer": "base", "tilematrix": "x", "tilecol": 0, "tilerow": 0}, 400,
         "InvalidParameterValue"),
        ({"request": "GetTile", "layer": "base", "tilematrix": 10}, 400, "MissingParameterValue"),
        ({"request": "GetTile", "layer": "none"}, 400, "InvalidParameterValue"),
        ({"request": "GetMap"}, 400, "OperationNotSupported"), ({}, 400, "MissingParameterValue"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_an_exception_of_the_protocol(
    door: Door, values: dict[str, object], status: int, code: str
) -> None:
    answer = door.get(pairs=_query(**values))

    assert answer.status == status
    assert etree.fromstring(_body(answer))[0].get("exceptionCode") == code


def test_a_key_given_twice_and_another_service_are_refused(door: Door) -> None:
    assert door.get(pairs=[("request", "GetTile"), ("REQUEST", "GetMap")]).status == 400
    assert door.get(pairs=[("service", "WMS"), ("request", "GetMap")]).status == 400
    assert door.get("/base/1/1/1", method="POST").status == 405


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.one_of(
        st.just(""), st.text(max_size=40),
        st.from_regex(r"/base/-?\d{1,20}/-?\d{1,20}/-?\d{1,20}", fullmatch=True),
    ),
    pairs=st.lists(
        st.tuples(
            st.sampled_from(["service", "REQUEST", "layer", "TileMatrix", "tilecol", "tilerow", "x"]),
            st.one_of(st.sampled_from(["WMTS", "GetTile", "GetCapabilities", "base", "10"]), st.text(max_size=10)),
        ), max_size=8,
    ),
)  # fmt: skip
def test_no_input_whatever_is_answered_with_a_5xx(door: Door, path: str, pairs: list[tuple[str, str]]) -> None:
    assert door.get(path, pairs).status < 500


# Where it may only look


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that every account may use, also where root runs the tests."""
    with tempfile.TemporaryDirectory(prefix="gridhub-base-maps-") as made:
        Path(made).chmod(0o777)
        yield Path(made)


@contextmanager
def as_somebody_else() -> Iterator[None]:
    """Without root's right to write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)


def test_what_others_fetched_is_served_where_it_may_only_be_read(
    open_folder: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_LOOK_AGAIN", 0.0)
    open_folder.joinpath("tiles").mkdir()
    open_folder.joinpath("tiles").chmod(0o555)
    with as_somebody_else():
        door = Door(open_folder, {"base": wmts(place, cache=CACHE)})
        assert (door.tile().status, len(place.paths("gettile"))) == (200, 1)  # there is no file yet
    open_folder.joinpath("tiles").chmod(0o755)
    door.keep(INSIDE)
    file = open_folder / "tiles" / "base.mbtiles"
    before = file.read_bytes()
    file.chmod(0o444)
    open_folder.joinpath("tiles").chmod(0o555)

    with as_somebody_else():
        assert [door.tile().status, door.tile().status] == [200, 200]
        assert len(place.paths("gettile")) == 1
        other = _inside(12)
        assert [door.tile(other).status, door.tile(other).status] == [200, 200]
        assert len(place.paths("gettile")) == 3
        door.service.close()
    assert file.read_bytes() == before
    open_folder.joinpath("tiles").chmod(0o755)
