"""`upstream.yaml`: what is wrong is told with its line, and no token stands in it."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from canonical.findings import Finding, Severity
from gateway.configuration import read
from gateway.settings import example_city
from gateway.upstream.file import Registered
from tests.connectors.ogc_place import Place
from tests.gateway.upstream_city import BOX, NAMED, city, folder, wms, wmts

PLACE = Place(b"", url="https://maps.example/wmts")
CACHE = {"zooms": [5, 14], "box": BOX}


def _findings(at: Path, entries: dict[str, Any], environment: dict[str, str] | None = None) -> list[Finding]:
    _, findings = read(folder(at, entries), NAMED if environment is None else environment)
    return [one for one in findings if one.file == "upstream.yaml"]


def _one(at: Path, entry: dict[str, Any]) -> Registered:
    return city(at, {"base": entry}).upstream["base"]


def test_an_entry_is_read_with_its_token_and_shows_it_to_nobody(tmp_path: Path) -> None:
    found = _one(tmp_path, wmts(PLACE, cache=CACHE, every="30m"))

    assert found.service.token == NAMED["MAP_KEY"]
    assert NAMED["MAP_KEY"] not in repr(found)
    assert found.every.total_seconds() == 1800
    assert found.cache is not None
    assert (found.cache.zooms, found.cache.box) == (range(5, 15), tuple(BOX))


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        (wmts(PLACE, token="secret-itself"), "base.token"),
        (wmts(PLACE, url="maps.example"), "base.url"),
        (wmts(PLACE, url="https://me:secret@maps.example/"), "base.url"),
        (wmts(PLACE, layers=[]), "base.layers"),
        (wmts(PLACE, matrix_set=""), "base.matrix_set"),
        (wmts(PLACE, version="2.0.0"), "base.version"),
        (wmts(PLACE, crs="CGCS2000"), "base.crs"),
        (wmts(PLACE, template="https://tiles.example/{z}/{x}/{y}.png"), "base.template"),
        (wmts(PLACE, token_in="basic"), "base.token"),
        (wmts(PLACE, every="1s"), "base.every"),
        (wmts(PLACE, cache={**CACHE, "zooms": [14, 5]}), "base.cache.zooms"),
        (wmts(PLACE, cache={**CACHE, "zooms": [5, 40]}), "base.cache.zooms"),
        (wmts(PLACE, cache={**CACHE, "box": [31, 118, 32, 119]}), "base.cache.box"),
        (wmts(PLACE, cache=CACHE, crs="EPSG:4548"), "base.cache"),
        (wms(PLACE, kind="wfs", cache=CACHE), "base.cache"),
        (wms(PLACE, kind="wcs"), "base.kind"),
        (wms(PLACE, colour="red"), "base.colour"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_a_finding_at_its_key(tmp_path: Path, entry: dict[str, Any], key: str) -> None:
    [found] = _findings(tmp_path, {"base": entry})

    assert found.key == key
    assert found.line > 0
    assert "secret" not in found.text


def test_a_box_with_axes_the_wrong_way_round_says_how_it_is_written(tmp_path: Path) -> None:
    [found] = _findings(tmp_path, {"base": wmts(PLACE, cache={**CACHE, "box": [31, 118, 32, 119]})})

    assert "west, south, east, north" in found.text


def test_a_name_that_cannot_be_a_file_is_a_finding(tmp_path: Path) -> None:
    [found] = _findings(tmp_path, {"../base": wmts(PLACE)})

    assert "small Latin letters" in found.text


def test_a_token_that_is_not_set_is_named_and_not_guessed(tmp_path: Path) -> None:
    [found] = _findings(tmp_path, {"base": wmts(PLACE)}, {key: NAMED[key] for key in NAMED if key != "MAP_KEY"})

    assert (found.key, found.severity) == ("base.token", Severity.ERROR)
    assert "MAP_KEY is not set" in found.text


def test_a_city_may_go_without(tmp_path: Path) -> None:
    assert city(tmp_path, {}).upstream == {}
    assert read(example_city(), NAMED)[0] is not None


def _shown() -> dict[str, Any]:
    lines = (example_city() / "upstream.yaml").read_text(encoding="utf-8").splitlines()
    rows = [line.removeprefix("# ") for line in lines if re.match(r"# (tianditu|  )", line)]
    loaded: dict[str, Any] = yaml.safe_load("\n".join(rows))
    return loaded


def test_the_example_that_is_commented_out_would_be_read(tmp_path: Path) -> None:
    _, findings = read(folder(tmp_path, _shown()), NAMED | {"TIANDITU_KEY": "x"})

    assert [one for one in findings if one.file == "upstream.yaml"] == []
