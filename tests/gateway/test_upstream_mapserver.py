"""MapServer as the upstream service: somebody else's implementation of WMS and WFS, behind a real socket."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.ogc.asking import Asker
from connectors.ogc.capabilities import Capabilities
from connectors.ogc.reading import read
from gateway.upstream.fetch import Fetch
from gateway.upstream.keeping import opened
from gateway.upstream.watch import seen
from tests.gateway.upstream_city import BOX, one
from tests.maps.clients import gdal
from tests.maps.mapserver import one_layer, serving

NOW = datetime(2026, 11, 27, 4, 0, tzinfo=UTC)
RED = (200, 30, 30)
_PARK = [[118.25, 31.25], [118.55, 31.25], [118.55, 31.45], [118.25, 31.45], [118.25, 31.25]]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    park = {
        "type": "Feature",
        "properties": {"name": "赭山公园"},
        "geometry": {"type": "Polygon", "coordinates": [_PARK]},
    }
    data = tmp_path / "parks.geojson"
    data.write_text(json.dumps({"type": "FeatureCollection", "name": "parks", "features": [park]}), encoding="utf-8")
    with serving(one_layer(data, "parks", title="Parks 公园", key="name"), tmp_path) as address:
        yield address


def _capabilities(at: Path, url: str, kind: str, version: str) -> Capabilities:
    registered = one(at, {"kind": kind, "url": url, "version": version, "layers": ["parks"], "crs": "EPSG:4490"})

    async def job() -> bytes:
        asker = Asker(registered.service)
        try:
            return await asker.document(registered.service.capabilities())
        finally:
            await asker.close()

    return read(asyncio.run(job()))


@pytest.mark.parametrize(
    ("kind", "version"), [("wms", "1.1.1"), ("wms", "1.3.0"), ("wfs", "1.0.0"), ("wfs", "1.1.0"), ("wfs", "2.0.0")]
)
def test_what_it_offers_is_read_and_it_is_up(tmp_path: Path, url: str, kind: str, version: str) -> None:
    found = _capabilities(tmp_path, url, kind, version)
    layer = found.layer("parks") or found.layer("ms:parks")

    assert layer is not None
    assert (found.kind, found.version, found.title, layer.title) == (
        kind,
        version,
        "City of MapServer 城市",
        "Parks 公园",
    )
    assert layer.box == pytest.approx((118.25, 31.25, 118.55, 31.45), abs=1e-3)
    assert any(crs.endswith("4490") for crs in layer.crs)
    entry = {"kind": kind, "url": url, "version": version, "layers": [layer.name], "crs": "EPSG:4490"}
    assert asyncio.run(seen(one(tmp_path, entry))).state == "up"


@pytest.mark.parametrize(("swap", "hint"), [(False, ""), (True, "swap_axes: false")])
def test_it_keeps_to_the_order_of_axes_and_who_does_not_is_told(
    tmp_path: Path, url: str, swap: bool, hint: str
) -> None:
    entry = {"kind": "wms", "url": url, "layers": ["parks"], "crs": "EPSG:4490", "swap_axes": swap,
             "cache": {"zooms": [8, 9], "box": BOX}}  # fmt: skip
    found = asyncio.run(seen(one(tmp_path, entry)))

    assert hint in found.hint
    assert bool(found.hint) == swap


def test_a_layer_that_it_has_not_is_missing(tmp_path: Path, url: str) -> None:
    found = asyncio.run(seen(one(tmp_path, {"kind": "wms", "url": url, "layers": ["roads"], "crs": "EPSG:4490"})))

    assert (found.state, found.missing) == ("missing", ("roads",))


@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:3857"])
def test_its_tiles_lie_where_the_park_lies(tmp_path: Path, url: str, crs: str) -> None:
    entry = {"kind": "wms", "url": url, "layers": ["parks"], "crs": crs,
             "cache": {"zooms": [9, 10], "box": BOX, "rate": 1000}}  # fmt: skip
    registered = one(tmp_path, entry)
    assert registered.cache is not None
    with opened(registered, tmp_path) as file:
        made = asyncio.run(Fetch(registered, file, zooms=range(9, 11), box=registered.cache.box, now=lambda: NOW).run())

    assert (made.failed, made.fetched) == (0, made.wanted)
    for place, wanted in (("118.4", RED), ("118.22", None)):
        said = gdal("gdallocationinfo", "-valonly", "-wgs84", file.path, place, "31.35").split()
        assert (tuple(int(value) for value in said[:3]) == RED) is (wanted is RED), (place, said)
