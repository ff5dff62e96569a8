"""A city that uses map services of others, whose servers run in the test."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import yaml

from canonical.findings import Finding
from gateway.configuration import Configuration, load
from gateway.settings import example_city
from gateway.upstream.file import Registered, read_upstream
from tests.connectors.ogc_place import TOKEN, Place
from tests.gateway.running import ENVIRONMENT

NAMED = {**ENVIRONMENT, "MAP_KEY": TOKEN}
BOX = [118.2, 31.2, 118.6, 31.5]


def wmts(place: Place, **more: Any) -> dict[str, Any]:
    """An entry of upstream.yaml for a Tianditu in Mercator."""
    return {
        "kind": "wmts", "url": place.url, "token": "${MAP_KEY}", "token_name": "tk", "layers": ["vec"],
        "crs": "EPSG:3857", "matrix_set": "w", "attribution": "天地图", **more,
    }  # fmt: skip


def wms(place: Place, **more: Any) -> dict[str, Any]:
    """An entry of upstream.yaml for a WMS in degrees."""
    return {"kind": "wms", "url": place.url, "layers": ["roads"], "crs": "EPSG:4490", **more}


def folder(at: Path, entries: Mapping[str, Any]) -> Path:
    """The example city with these services."""
    made = at / "city"
    if not made.exists():
        shutil.copytree(example_city(), made)
    (made / "upstream.yaml").write_text(yaml.safe_dump(dict(entries), allow_unicode=True), encoding="utf-8")
    return made


def city(at: Path, entries: Mapping[str, Any]) -> Configuration:
    """The same, loaded."""
    return load(folder(at, entries), NAMED)


def registered(at: Path, entries: Mapping[str, Any]) -> dict[str, Registered]:
    """These services, read as a city reads them, without the rest of a city."""
    (at / "upstream.yaml").write_text(yaml.safe_dump(dict(entries), allow_unicode=True), encoding="utf-8")
    findings: list[Finding] = []
    found = read_upstream(
        at, "upstream.yaml", lambda _file, _key, text, _line: Template(text).substitute(NAMED), findings
    )
    assert findings == []
    return found


def one(at: Path, entry: Mapping[str, Any]) -> Registered:
    """One service, called `base`."""
    return registered(at, {"base": entry})["base"]
