"""Upstream services are watched: how they stand, what they no longer offer, and who is told. All real."""

import asyncio
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from canonical.time import SHANGHAI
from connectors.ogc.axes import Box
from connectors.ogc.reading import read
from gateway.cli.main import app
from gateway.hub import Hub, wire
from gateway.notify import Notifier, written
from gateway.notify_file import MailFile
from gateway.settings import Settings
from gateway.upstream import look
from gateway.upstream.drift import Change, changes, offered
from gateway.upstream.figures import upstream_families
from gateway.upstream.watch import UpstreamWatch, seen
from storage.notices import Notices, Telling
from storage.upstream import Look, Upstreams
from tests.connectors import ogc_place
from tests.connectors.ogc_place import TOKEN, Place, tianditu, upstream
from tests.gateway.running import CENTRE_SECRET
from tests.gateway.upstream_city import BOX, NAMED, city, folder, one, wms, wmts

NOON = datetime(2026, 11, 27, 12, 0, tzinfo=SHANGHAI)
HOUR = timedelta(hours=1)


@pytest.fixture
def tiles() -> Iterator[Place]:
    with upstream(Place(tianditu(), token=TOKEN)) as running:
        yield running


@pytest.fixture
def maps() -> Iterator[Place]:
    with upstream(Place(ogc_place.wms("roads", "rivers"))) as running:
        yield running


class Office:
    """A hub with these services, and a clock that the test sets."""

    def __init__(self, at: Path, database_url: str, entries: dict[str, Any]) -> None:
        self.at, self.url, self.now = at, database_url, NOON
        self.configuration = city(at, entries)

    def hub(self) -> Hub:
        settings = Settings(self.at / "city", self.url, CENTRE_SECRET, Path("unused"), NAMED)
        return replace(wire(settings, self.url, configuration=self.configuration), now=lambda: self.now)

    def rounds(self, workers: int = 1) -> None:
        async def job() -> None:
            hubs = [self.hub() for _ in range(workers)]
            await asyncio.gather(*(UpstreamWatch(hub).round() for hub in hubs))
            await asyncio.gather(*(hub.store.close() for hub in hubs))

        asyncio.run(job())

    def looks(self) -> dict[str, Look]:
        return asyncio.run(self._asked(lambda kept: kept.looks()))

    def drift(self) -> list[tuple[str, str, str, str]]:
        found = asyncio.run(self._asked(lambda kept: kept.drift()))
        return [(each.layer, each.what, each.change, each.text) for each in found]

    async def _asked(self, question: Any) -> Any:
        hub = self.hub()
        try:
            return await question(Upstreams(hub.store))
        finally:
            await hub.store.close()

    def notices(self) -> list[tuple[str, str, int, bool]]:
        async def job() -> list[tuple[str, str, int, bool]]:
            hub = self.hub()
            await Notifier(hub).round()
            listed = await Notices(hub.store).listed(source="upstream")
            await hub.store.close()
            return [(each.source, each.system, each.count, each.closed_at is not None) for each, _ in listed]

        return asyncio.run(job())


# --- how one stands ---


def test_a_service_that_answers_is_up(tmp_path: Path, tiles: Place, maps: Place) -> None:
    assert asyncio.run(seen(one(tmp_path, wmts(tiles)))).state == "up"
    assert asyncio.run(seen(one(tmp_path, wms(maps, cache={"zooms": [5, 9], "box": BOX})))).state == "up"
    assert [query["request"] for _, query, _ in tiles.asked] == ["GetCapabilities", "GetTile"]


def test_a_wfs_is_asked_how_many_features_it_has(tmp_path: Path, maps: Place) -> None:
    if not ogc_place.DATA.is_dir():
        pytest.skip("the reference data is not beside this checkout")
    maps.capabilities = (ogc_place.DATA / "owslib" / "wfs_CUZK_GetCapabilities_2_0_0.xml").read_bytes()
    entry = {"kind": "wfs", "url": maps.url, "layers": ["CP:CadastralParcel"], "crs": "EPSG:4258"}

    assert asyncio.run(seen(one(tmp_path, entry))).state == "up"
    assert maps.paths("getfeature")[0]["resulttype"] == "hits"


@pytest.mark.parametrize(
    ("fault", "state"),
    [("exception", "exception"), ("html", "content_type"), ("json", "token"), ("hang_up", "unreachable"),
     ("half", "unreachable"), ("status", "status")],
)  # fmt: skip
@pytest.mark.parametrize("request_", ["getcapabilities", "gettile"])
def test_a_fault_of_either_answer_is_how_it_stands(
    tmp_path: Path, tiles: Place, fault: str, state: str, request_: str
) -> None:
    tiles.fault, tiles.faulty = fault, frozenset({request_})

    assert asyncio.run(seen(one(tmp_path, wmts(tiles)))).state == state


def test_an_expired_token_is_told_as_one(tmp_path: Path, tiles: Place) -> None:
    tiles.token = "a newer one"
    found = asyncio.run(seen(one(tmp_path, wmts(tiles))))

    assert found.state == "token"
    assert "expired" in found.why


def test_a_late_answer_is_slow_and_not_down(tmp_path: Path, tiles: Place) -> None:
    tiles.pause = 0.2
    found = asyncio.run(seen(one(tmp_path, wmts(tiles, slow=0.1))))

    assert found.state == "slow"
    assert found.seconds is not None


def test_a_matrix_set_that_is_gone_is_missing(tmp_path: Path, tiles: Place) -> None:
    found = asyncio.run(seen(one(tmp_path, wmts(tiles, matrix_set="x"))))

    assert (found.state, found.missing) == ("missing", ())
    assert "no matrix set 'x'; there are w, c" in found.why


def test_capabilities_that_cannot_be_read_are_told_without_the_token(tmp_path: Path, tiles: Place) -> None:
    tiles.capabilities = f"<WMS tk='{TOKEN}'>".encode()
    found = asyncio.run(seen(one(tmp_path, wmts(tiles))))

    assert found.state == "unreadable"
    assert TOKEN not in found.why


# --- the order of axes ---


@pytest.mark.parametrize(
    ("obeys", "swap", "hint"),
    [(True, False, ""), (False, False, "swap_axes: true"), (False, True, ""), (True, True, "swap_axes: false")],
)
def test_a_server_that_has_its_own_order_of_axes_is_found_out(
    tmp_path: Path, maps: Place, obeys: bool, swap: bool, hint: str
) -> None:
    maps.obeys = obeys
    registered = one(tmp_path, wms(maps, swap_axes=swap, cache={"zooms": [5, 9], "box": [118.1, 31.1, 118.7, 31.6]}))
    found = asyncio.run(seen(registered))

    assert found.state == "up"
    assert hint in found.hint
    assert bool(found.hint) == bool(hint)
    assert registered.service.swap_axes is swap  # told, never switched


def test_where_nobody_disagrees_one_picture_is_enough(tmp_path: Path, maps: Place) -> None:
    asyncio.run(seen(one(tmp_path, wms(maps, crs="EPSG:3857"))))

    assert len(maps.paths("getmap")) == 1


def test_where_both_orders_show_nothing_nothing_is_said(tmp_path: Path, maps: Place) -> None:
    entry = wms(maps, cache={"zooms": [5, 9], "box": [119.0, 32.0, 119.5, 32.5]})

    assert asyncio.run(seen(one(tmp_path, entry))).hint == ""


def test_a_box_that_is_a_point_is_made_wide_enough_to_be_asked_for() -> None:
    box: Box = look._wide((118.4, 31.3, 118.4, 31.3))

    assert box == pytest.approx((118.39, 31.29, 118.41, 31.31))


# --- looks, kept ---


def test_of_many_workers_one_looks_and_only_after_the_interval(
    tmp_path: Path, database_url: str, tiles: Place
) -> None:  # fmt: skip
    office = Office(tmp_path, database_url, {"base": wmts(tiles)})

    office.rounds(workers=4)
    office.rounds()
    assert len(tiles.paths("getcapabilities")) == 1
    office.now += HOUR
    office.rounds(workers=2)

    assert len(tiles.paths("getcapabilities")) == 2
    assert office.looks()["base"].state == "up"


def test_how_it_stands_is_kept_with_since_when(tmp_path: Path, database_url: str, tiles: Place) -> None:
    office = Office(tmp_path, database_url, {"base": wmts(tiles)})
    for hours, fault in ((0, ""), (1, ""), (2, "status"), (3, "status")):
        office.now, tiles.fault = NOON + hours * HOUR, fault
        office.rounds()

    found = office.looks()["base"]
    assert (found.state, found.since, found.looked_at) == ("status", NOON + 2 * HOUR, NOON + 3 * HOUR)


def test_a_service_that_is_registered_no_more_is_forgotten(tmp_path: Path, database_url: str, tiles: Place) -> None:
    Office(tmp_path, database_url, {"base": wmts(tiles), "old": wmts(tiles)}).rounds()
    office = Office(tmp_path, database_url, {"base": wmts(tiles)})
    office.rounds()

    assert list(office.looks()) == ["base"]


def test_what_came_and_went_is_kept_with_when(tmp_path: Path, database_url: str, maps: Place) -> None:
    office = Office(tmp_path, database_url, {"base": wms(maps)})
    office.rounds()
    maps.capabilities = ogc_place.wms("roads", "parks").replace(b"<CRS>EPSG:4490</CRS>", b"<CRS>EPSG:4548</CRS>")
    office.now += HOUR
    office.rounds()
    office.now += HOUR
    office.rounds()

    assert sorted(office.drift()) == [
        ("parks", "layer", "came", "parks"), ("rivers", "layer", "went", "rivers"),
        ("roads", "crs", "came", "EPSG:4548"), ("roads", "crs", "went", "EPSG:4490"),
    ]  # fmt: skip


def test_a_layer_in_use_that_is_gone_is_a_notice_until_it_is_back(
    tmp_path: Path, database_url: str, maps: Place
) -> None:  # fmt: skip
    office = Office(tmp_path, database_url, {"base": wms(maps)})
    office.rounds()
    assert office.notices() == []
    maps.capabilities = ogc_place.wms("rivers")
    office.now += HOUR
    office.rounds()
    assert office.looks()["base"].missing == ("roads",)
    office.now += HOUR

    assert office.notices() == [("upstream", "base", 1, False)]
    maps.fault = "status"  # nobody knows now: what was gone still is
    office.rounds()
    assert office.notices() == [("upstream", "base", 1, False)]
    maps.fault, maps.capabilities = "", ogc_place.wms("roads")
    office.now += HOUR
    office.rounds()
    assert office.notices() == [("upstream", "base", 0, True)]


@pytest.mark.parametrize("occasion", ["failures", "reminder", "clear"])
def test_a_mail_says_what_is_gone_and_what_to_type(occasion: str) -> None:
    body = {"occasion": occasion, "source": "upstream", "system": "tianditu_vec", "title": "", "city": "芜湖市",
            "count": 2, "counts": {"layer_gone": 2}, "first_at": "2026-11-27T12:00:00+08:00",
            "last_at": "2026-11-27T12:00:00+08:00"}  # fmt: skip
    telling = Telling(UUID(int=1), occasion, "mail", body, 1, NOON)
    mail = written(MailFile(host="mail", sender="hub@city.cn", to=["duty@city.cn"]), telling)

    assert "图层" in mail["Subject"]
    assert "gridhub upstream drift" in mail.get_content()


def test_no_log_line_and_no_row_has_the_token(
    tmp_path: Path, database_url: str, tiles: Place,
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    office = Office(tmp_path, database_url, {"base": wmts(tiles)})
    tiles.fault = "echo"
    office.rounds()

    found = office.looks()["base"]
    assert "tk=***" in found.why
    said = capsys.readouterr()
    for text in (found.why, caplog.text, said.out, said.err, json.dumps(found.offered)):
        assert "7f3a" not in text


def test_how_they_stand_is_a_figure(tmp_path: Path, database_url: str, tiles: Place) -> None:
    office = Office(tmp_path, database_url, {"base": wmts(tiles)})
    office.rounds()

    samples = {
        sample.name: (sample.labels, sample.value)
        for family in upstream_families(office.looks().values(), NOON + HOUR) for sample in family.samples
    }  # fmt: skip
    assert samples["gridhub_upstream_up"] == ({"upstream": "base", "state": "up"}, 1.0)
    assert samples["gridhub_upstream_look_age_seconds"][1] == 3600.0


# --- changes, by themselves ---


def test_a_service_that_was_replaced_is_told_in_a_bounded_list() -> None:
    before, now = ({"version": "1.3.0", "names": [f"{word}{n}" for n in range(400)], "layers": {}, "matrix_sets": {}}
                   for word in "ab")  # fmt: skip
    found = changes(before, now)

    assert len(found) == 501
    assert found[-1] == Change("", "service", "changed", "and 300 further changes")


def test_boxes_levels_and_versions_count_too() -> None:
    before = offered(read(tianditu()), ["vec"])
    now = offered(read(tianditu(range(1, 17)).replace(b"-180 -85", b"-180 -80")), ["vec"])

    assert [(each.what, each.change) for each in changes(before, now)] == [
        ("matrix_set", "changed"), ("matrix_set", "changed"), ("box", "changed"),
    ]  # fmt: skip
    assert changes(before, before) == []


# --- at the command line ---


def _run(at: Path, database_url: str, *words: str) -> tuple[int, str]:
    environment = NAMED | {"GRIDHUB_DATABASE_URL": database_url}
    ended = CliRunner().invoke(app, ["upstream", *words, "--config", str(at)], env=environment)
    return ended.exit_code, ended.stdout


def _fits(text: str) -> bool:
    return all(cell_len(row) <= 80 for row in text.splitlines())


def test_the_commands_show_services_state_and_changes(tmp_path: Path, database_url: str, maps: Place) -> None:
    entries = {"base": wms(maps, title="城市道路" * 20)}
    office, at = Office(tmp_path, database_url, entries), folder(tmp_path, entries)
    office.rounds()
    maps.capabilities = ogc_place.wms("rivers")
    office.now += HOUR
    office.rounds()

    code, listed = _run(at, database_url, "list")
    assert (code, "图层缺失 missing" in listed, _fits(listed)) == (0, True, True)
    code, drifted = _run(at, database_url, "drift", "base")
    assert (code, "layer went: roads" in drifted, _fits(drifted)) == (0, True, True)
    code, checked = _run(at, database_url, "check")
    assert (code, "no longer there: roads" in checked, _fits(checked)) == (1, True, True)
    code, shown = _run(at, database_url, "check", "base", "--json")
    assert json.loads(shown)[0]["missing"] == ["roads"]
    assert _run(at, database_url, "check", "other")[0] == 5


def test_a_service_never_looked_at_is_unknown(tmp_path: Path, database_url: str, tiles: Place) -> None:
    code, shown = _run(folder(tmp_path, {"base": wmts(tiles)}), database_url, "list", "--json")
    views: Sequence[dict[str, Any]] = json.loads(shown)

    assert (code, views[0]["state"], views[0]["host"]) == (0, "unknown", "127.0.0.1")
    assert TOKEN not in shown


def test_a_token_that_is_not_set_is_told_before_the_service_says_so(tmp_path: Path, tiles: Place) -> None:
    at = folder(tmp_path, {"base": wmts(tiles)})
    environment = {key: value for key, value in NAMED.items() if key != "MAP_KEY"}
    ended = CliRunner().invoke(app, ["upstream", "check", "--config", str(at)], env=environment)

    assert ended.exit_code == 1
    assert "base.token: environment variable MAP_KEY is not set" in ended.stderr
    assert "令牌失效 token" in ended.stdout
