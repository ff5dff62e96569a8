"""What a map process tells: what it was asked, by service and operation; how old its cases are; its health."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import make_url

from canonical.rights import Scope
from gateway.configuration import Configuration
from gateway.hub import clock
from gateway.maps import counts, feed
from gateway.maps.feed import STALE
from maps.request import Answer, Request
from tests.connectors.servers.relay import Relay
from tests.gateway.maps_room import SETTINGS, TOKENS, Maps, maps
from tests.gateway.pushes import NAME, PHONE, hotline, ticket
from tests.gateway.running import HubUnderTest, until
from tests.gateway.test_map_door import away, broken, client_of, tagged

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
MAP = {
    "service": "WMS", "version": "1.1.1", "request": "GetMap", "layers": "grids,cases", "styles": "",
    "srs": "EPSG:4490", "bbox": "118.36,31.33,118.37,31.34", "width": "100", "height": "50", "format": "image/png",
}  # fmt: skip
FEATURES = (
    b'<wfs:GetFeature xmlns:wfs="http://www.opengis.net/wfs/2.0" service="WFS" version="2.0.0" count="3">'
    b'<wfs:Query typeNames="grids"/></wfs:GetFeature>'
)


def read(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def told() -> Samples:
    """What this process has counted so far, other tests included."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for metric in counts.REGISTRY.collect()
        for sample in metric.samples
    }


def more(before: Samples, after: Samples) -> dict[tuple[str, ...], float]:
    """Counters that have grown: labels in the order of their names, by how much."""
    grown = {}
    for (name, labels), value in after.items():
        by = value - before.get((name, labels), 0.0)
        if by and name.removeprefix("gridhub_maps_") in (
            "requests_total",
            "features_total",
            "pictures_total",
            "pixels_total",
        ):
            grown[(name.removeprefix("gridhub_maps_"), *(label for _, label in sorted(labels)))] = by
    return grown


def drawn(room: Maps, token: str = TOKENS["centre"], **changes: str) -> bool:
    """Whether a GetMap is answered with a picture."""
    answer = room.client.get("/ogc/wms", params={**MAP, **changes}, headers={"authorization": f"Bearer {token}"})
    return answer.headers["content-type"] == "image/png"


def test_what_is_asked_is_counted_by_service_operation_and_outcome(
    configuration: Configuration, database_url: str
) -> None:
    with maps(configuration, database_url) as room:
        before = read(room.client.get("/metrics").text)
        for _ in "12":
            assert drawn(room)
        assert not drawn(room, layers="nothing")
        assert drawn(room, layers="nothing", exceptions="application/vnd.ogc.se_inimage")
        assert not drawn(room, token="wrong")
        assert room.client.post("/ogc/wfs?token=centre-map", content=FEATURES).status_code == 200
        assert len(room.get("/ogc/features/collections/districts/items", limit="2").json()["features"]) == 2
        room.get("/ogc/features/collections/nothing/items")
        room.get("/ogc/tiles/grids/14/13569/6681.mvt")
        room.get("/ogc/nothing")
        answer = room.client.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=")
    after = read(answer.text)
    assert more(before, after) == {
        ("requests_total", "GetMap", "ok", "wms"): 2, ("requests_total", "GetMap", "exception", "wms"): 2,
        ("requests_total", "other", "refused", "wms"): 1, ("requests_total", "GetFeature", "ok", "wfs"): 1,
        ("requests_total", "items", "ok", "features"): 1, ("requests_total", "items", "exception", "features"): 1,
        ("requests_total", "GetTile", "ok", "tiles"): 1, ("requests_total", "other", "refused", "other"): 1,
        ("pictures_total", "wms", "drawn"): 1, ("pictures_total", "wms", "cache"): 1,
        ("pictures_total", "tiles", "drawn"): 1, ("pixels_total", "wms"): 100 * 50,
        ("features_total", "wfs"): 3, ("features_total", "features"): 2,
    }  # fmt: skip
    key = ("gridhub_maps_request_seconds_count", frozenset({("service", "wms"), ("operation", "GetMap")}))
    assert after[key] - before.get(key, 0) == 4


def test_what_fails_is_told_from_what_is_away_and_from_what_is_known() -> None:
    before = told()
    with client_of(SETTINGS, {"wms": broken, "wfs": away, "base": tagged}) as client:
        client.get("/ogc/wms?request=GetMap")
        client.get("/ogc/wfs?REQUEST=GetFeature")
        tag = client.get("/ogc/base/city/1/1/1").headers["etag"]
        client.get("/ogc/base/city/1/1/1", headers={"if-none-match": tag})

    assert more(before, told()) == {
        ("requests_total", "GetMap", "failed", "wms"): 1, ("requests_total", "GetFeature", "unavailable", "wfs"): 1,
        ("requests_total", "GetTile", "ok", "base"): 1, ("requests_total", "GetTile", "not_modified", "base"): 1,
    }  # fmt: skip


def test_what_clients_make_up_names_nothing(hub: HubUnderTest, configuration: Configuration, database_url: str) -> None:
    hotline(ticket("1", rqstTitle=NAME)).to(hub)
    with maps(configuration, database_url) as room:
        for service in ("wms", "wmts", "wfs", "tiles", "features", "base", NAME):
            room.get(f"/ogc/{service}", request=PHONE, layers=NAME)
            room.get(f"/ogc/{service}/{PHONE}/1/1/1.png", token=PHONE)
            room.client.post(f"/ogc/{service}?token=centre-map", content=f"<{NAME}><A{PHONE}/>".encode())
        text = room.client.get("/metrics").text

    said = "\n".join(line.rsplit(" ", 1)[0] for line in text.splitlines())
    assert not any(word in said for word in (NAME, PHONE, "centre-map", hub.cases()[0]["no"]))
    labels = [dict(labels) for name, labels in read(text) if name == "gridhub_maps_requests_total"]
    assert {one["service"] for one in labels} <= {"wms", "wmts", "wfs", "tiles", "features", "base", "other", "echo",
                                                  "parts", "tagged", "away", "broken"}  # fmt: skip
    assert {one["outcome"] for one in labels} <= set(counts.OUTCOMES)


@pytest.mark.parametrize(
    ("service", "path", "pairs", "body", "operation"),
    [
        ("wms", "", [("Request", "getmap")], b"", "GetMap"),
        ("wms", "", [("REQUEST", "map")], b"", "GetMap"),
        ("wms", "", [], b"SERVICE=WMS&request=GetFeatureInfo", "GetFeatureInfo"),
        ("wms", "", [("REQUEST", "Drop")], b"", "other"),
        ("wfs", "", [], b'<?xml version="1.0"?><GetPropertyValue xmlns="x"/>', "GetPropertyValue"),
        ("wfs", "", [], b"\xff\xfe<", "other"),
        ("wmts", "/grids/default/c/12/1/1.png", [], b"", "GetTile"),
        ("wmts", "/1.0.0/WMTSCapabilities.xml", [], b"", "GetCapabilities"),
        ("wmts", "", [("REQUEST", "GetTile")], b"", "GetTile"),
        ("tiles", "/grids.json", [], b"", "TileJSON"),
        ("tiles", "/grids/1/1/1.mvt", [], b"", "GetTile"),
        ("tiles", "/grids", [], b"", "other"),
        ("features", "", [], b"", "description"),
        ("features", "/collections/cases/items", [], b"", "items"),
        ("features", "/collections/cases/items/a/b", [], b"", "item"),
        ("base", "/city/1/2/3.png", [], b"", "GetTile"),
        ("base", "/city.json", [], b"", "TileJSON"),
        ("base", "", [("REQUEST", "GetCapabilities")], b"", "GetCapabilities"),
        ("nobody", "/x", [], b"", "other"),
    ],
)
def test_an_operation_is_known_however_it_is_named(
    service: str, path: str, pairs: list[tuple[str, str]], body: bytes, operation: str
) -> None:
    asked = Request("POST" if body else "GET", path, pairs, Scope("any"), clock(), body=body)

    assert counts.operation_of(service, asked) == operation


# Whether it is well


@contextmanager
def through_a_relay(database_url: str) -> Iterator[tuple[Relay, str]]:
    """A relay before the database, and the database's URL through it."""
    url = make_url(database_url)
    folder = str(url.query.get("host", ""))

    def connect() -> socket.socket:
        if not folder:
            return socket.create_connection((url.host or "127.0.0.1", url.port or 5432))
        line = socket.socket(socket.AF_UNIX)
        line.connect(f"{folder}/.s.PGSQL.{url.port or 5432}")
        return line

    with Relay(connect) as relay:
        through = url.set(host="127.0.0.1", port=relay.port, query={})
        yield relay, through.render_as_string(hide_password=False)


def test_maps_that_have_not_seen_the_database_for_long_say_so_and_come_back(
    hub: HubUnderTest, configuration: Configuration, database_url: str
) -> None:
    hotline(ticket("1")).to(hub)
    moved = [timedelta(0)]

    def now() -> datetime:
        return clock() + moved[0]

    def health(room: Maps) -> int:
        return room.client.get("/health").status_code

    with through_a_relay(database_url) as (relay, url), maps(configuration, url, now=now) as room:
        samples = read(room.client.get("/metrics").text)
        assert samples["gridhub_maps_open_cases", frozenset()] == 1
        assert 0 <= now().timestamp() - samples["gridhub_maps_feed_timestamp_seconds", frozenset()] < STALE
        assert health(room) == 200
        relay.shut = True
        relay.break_all()
        assert health(room) == 200  # what it has is a moment old
        moved[0] = timedelta(seconds=STALE + 60)
        until(lambda: health(room) == 503, what="saying that the map is old")
        assert room.client.get("/health").json()["error"]["code"] == "stale"
        assert room.client.get("/health/live").status_code == 200
        assert drawn(room)
        relay.shut = False
        until(lambda: health(room) == 200, what="being fresh again")
        assert room.client.get("/other").status_code == 404


def test_an_error_that_nobody_foresaw_does_not_end_the_feed(
    hub: HubUnderTest, configuration: Configuration, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SELDOM", 0.1)
    with maps(configuration, database_url) as room:
        until(lambda: room.app.feed.age < 1, what="the feed's first look")
        hub.rows("ALTER TABLE cases RENAME TO cases_elsewhere")  # what changed needs it, and all open ones anew
        until(lambda: room.app.feed.age > 1, what="the feed standing still")
        hub.rows("ALTER TABLE cases_elsewhere RENAME TO cases")
        hotline(ticket("1")).to(hub)
        until(lambda: len(room.app.feed.live.marks) == 1, what="the case on the map")


# Who takes an answer slowly, or goes


def endless(made: list[int]) -> Any:
    """A service that answers without an end, and notes what it made."""

    def service(_: Request) -> Answer:
        def parts() -> Iterator[bytes]:
            while True:
                made.append(1)
                yield b"x" * 65_536

        return Answer("text/plain", parts())

    return service


def test_slow_clients_hold_no_place_at_work_and_who_goes_is_written_for_no_longer() -> None:
    made: list[int] = []
    with client_of(SETTINGS, {"wfs": endless(made), "base": tagged}) as client:
        slow = [httpx.Client(base_url=client.base_url, trust_env=False) for _ in range(6)]  # places at work: two
        streams = [one.stream("GET", "/ogc/wfs") for one in slow]
        for stream in streams:
            assert next(stream.__enter__().iter_raw(1)) == b"x"
        assert client.get("/ogc/base").text == "tile"
        for stream, one in zip(streams, slow, strict=True):
            stream.__exit__(None, None, None)
            one.close()
        until(lambda: _still(made), what="nothing more being made")


def _still(made: list[int]) -> bool:
    before = len(made)
    time.sleep(0.3)
    return len(made) == before
