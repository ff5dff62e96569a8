"""`upstream.yaml`: which map services of others the city uses, how they are asked, and what is kept of them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from canonical.errors import Misconfigured
from canonical.findings import Finding
from connectors.ogc.asking import checked
from connectors.ogc.axes import code_of
from connectors.ogc.capabilities import Box, Kind
from connectors.ogc.pyramid import MOST_ZOOM, PYRAMIDS
from connectors.ogc.service import Service, TokenPlace, origin_of, tiles_of
from gateway.delivery.traffic_file import seconds
from gateway.yaml_model import lines_of, modelled, read_document

VERSIONS: Mapping[Kind, tuple[str, ...]] = {
    Kind.WMS: ("1.3.0", "1.1.1"), Kind.WMTS: ("1.0.0",), Kind.WFS: ("2.0.0", "1.1.0", "1.0.0"),
}  # fmt: skip
"""The first is asked for where none is declared."""
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_VARIABLE = r"^$|^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"

Filled = Callable[[str, str, str, int], str]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CacheFile(_File):
    """What is kept of a base map."""

    zooms: tuple[int, int] = Field(description="first and last level that is fetched ahead and served, such as [5, 14]")
    box: tuple[float, float, float, float] = Field(
        description="west, south, east, north in degrees; tiles that do not touch it are neither fetched nor served"
    )
    megabytes: int = Field(default=500, ge=1, le=1_000_000, description="size at which the file grows no more")
    age: Annotated[float, BeforeValidator(seconds)] = Field(
        default=30 * 86400,
        ge=60,
        description="how long a tile counts as new, such as 30d; older ones are asked for anew",
    )
    rate: float = Field(default=10, gt=0, le=1000, description="tiles a second at most, of one process")
    concurrency: int = Field(default=4, ge=1, le=64, description="tiles on their way at once, of one process")
    file: str = Field(
        default="", description="where the tiles lie, MBTiles or GeoPackage; default: below base-maps in GRIDHUB_DATA"
    )
    pass_through: bool = Field(
        default=True, description="false: only what was fetched ahead is served, and the server is asked nothing"
    )
    public: bool = Field(default=False, description="true: who shows no token to the map door may see it")


class UpstreamFile(_File):
    """One entry of `upstream.yaml`."""

    kind: Kind = Field(description="`wms`, `wmts` or `wfs`")
    url: str = Field(description="address of the service, without what makes it a request; may name `${NAME}`")
    title: str = Field(default="", description="name for people")
    version: str = Field(default="", description="WMS `1.3.0` or `1.1.1`, WFS `2.0.0`, `1.1.0` or `1.0.0`; the first")
    token: str = Field(default="", pattern=_VARIABLE, description="what it knows us by, as ${NAME} and never itself")
    token_in: TokenPlace = Field(
        default=TokenPlace.QUERY, description="where the token goes: `query`, `header`, or `basic` (`user:password`)"
    )
    token_name: str = Field(
        default="tk", pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$", description="name of the query parameter or header"
    )
    ca: str = Field(default="", description="file of the authority that signed its certificate; default: the machine's")
    layers: list[str] = Field(default=[], max_length=50, description="layers or feature types that the city uses")
    crs: str = Field(default="EPSG:3857", description="CRS that is asked for; base maps: EPSG:3857, 4490 or 4326")
    matrix_set: str = Field(default="", description="tile matrix set of a WMTS, such as `w` or `c`")
    style: str = Field(default="", description="style; default: the server's")
    format: str = Field(default="image/png", description="media type of pictures")
    template: str = Field(
        default="", description="address of a tile for a WMTS that is asked by path, with `{TileMatrix}`, `{TileRow}`, "
        "`{TileCol}`, or `{z}`, `{x}`, `{y}`",
    )  # fmt: skip
    swap_axes: bool = Field(
        default=False, description="true: the server ignores the axis order of WMS 1.3.0; `gridhub upstream check` says"
    )
    every: Annotated[float, BeforeValidator(seconds)] = Field(
        default=3600, ge=60, le=30 * 86400, description="time between looks, such as 1h"
    )
    slow: Annotated[float, BeforeValidator(seconds)] = Field(
        default=5, gt=0, le=30, description="an answer later than this counts as slow, such as 5s"
    )
    attribution: str = Field(default="", description="whose map it is, shown with it")
    cache: CacheFile | None = Field(default=None, description="what is kept of it, and passed on; default: nothing")


@dataclass(frozen=True, slots=True)
class Cache:
    """What is kept of a base map."""

    zooms: range
    box: Box
    most: int
    """Bytes."""
    age: timedelta
    rate: float
    concurrency: int
    file: Path | None = None
    pass_through: bool = True
    public: bool = False


@dataclass(frozen=True, slots=True)
class Registered:
    """One service, ready to be asked."""

    service: Service
    title: str = ""
    ca: str = ""
    every: timedelta = timedelta(hours=1)
    slow: float = 5.0
    attribution: str = ""
    cache: Cache | None = None

    @property
    def name(self) -> str:
        """Its key in upstream.yaml."""
        return self.service.name


def read_upstream(folder: Path, name: str, filled: Filled, findings: list[Finding]) -> dict[str, Registered]:
    """The services by name. `filled(file, key, text, line)` puts values for `${NAME}`."""
    if not name:
        return {}
    found = len(findings)
    document = read_document(folder / name, findings)
    if document is None or len(findings) > found:
        return {}
    if not isinstance(document, dict):
        findings.append(Finding(name, 0, "", "a mapping of service names is expected"))
        return {}
    lines, registered = lines_of(folder / name), {}
    for key, value in document.items():
        line = lines.get(str(key), 0)
        if not _NAME.fullmatch(str(key)):
            findings.append(Finding(name, line, str(key), "a name is small Latin letters, digits, `_` and `-`"))
            continue
        entry = modelled(value, UpstreamFile, name, lines, str(key), findings)
        if entry is None:
            continue

        def wrong(field: str, text: str, key: str = str(key), line: int = line) -> None:
            at = f"{key}.{field}"
            findings.append(Finding(name, lines.get(at, line), at, text))

        def put(field: str, text: str, key: str = str(key), line: int = line) -> str:
            return filled(name, f"{key}.{field}", text, lines.get(f"{key}.{field}", line))

        one = _registered(folder, str(key), entry, put, wrong)
        if one is not None:
            registered[str(key)] = one
    return registered


def _registered(
    folder: Path, name: str, entry: UpstreamFile, put: Callable[[str, str], str], wrong: Callable[[str, str], None]
) -> Registered | None:
    url, template, token = put("url", entry.url), put("template", entry.template), put("token", entry.token)
    service = Service(
        name=name, kind=entry.kind, url=url, version=entry.version or VERSIONS[entry.kind][0],
        layers=tuple(entry.layers), crs=entry.crs, matrix_set=entry.matrix_set, style=entry.style, format=entry.format,
        swap_axes=entry.swap_axes, template=template, token=token, token_in=entry.token_in, token_name=entry.token_name,
    )  # fmt: skip
    said = list(_findings(service, entry))
    for field, text in said:
        wrong(field, text)
    if said:
        return None
    kept = entry.cache
    cache = Cache(
        range(kept.zooms[0], kept.zooms[1] + 1), kept.box, kept.megabytes * 1_000_000, timedelta(seconds=kept.age),
        kept.rate, kept.concurrency, folder / kept.file if kept.file else None, kept.pass_through, kept.public,
    ) if kept else None  # fmt: skip
    ca = str(folder / entry.ca) if entry.ca else ""
    return Registered(service, entry.title, ca, timedelta(seconds=entry.every), entry.slow, entry.attribution, cache)


def _findings(service: Service, entry: UpstreamFile) -> list[tuple[str, str]]:
    """Key and text of each thing that cannot be."""
    said = []
    for field, url in (("url", service.url), ("template", service.template)):
        if url or (field == "url" and not entry.url):
            try:
                checked(url)
            except Misconfigured as error:
                said.append((field, str(error)))
    if service.version not in VERSIONS[service.kind]:
        said.append(("version", f"{service.kind} has {', '.join(VERSIONS[service.kind])}"))
    if not service.layers:
        said.append(("layers", "name at least one"))
    if service.kind is Kind.WMTS and not service.matrix_set:
        said.append(("matrix_set", "a WMTS needs one, such as w or c"))
    if code_of(service.crs) is None:
        said.append(("crs", f"'{service.crs}' is no CRS: write EPSG:4490"))
    if service.token_in is TokenPlace.BASIC and service.token and ":" not in service.token:
        said.append(("token", "for `basic` its value is user:password"))
    if service.template and service.token and not said and origin_of(service.template) != service.origin:
        said.append(("template", "stands at another host than url, which would not get the token"))
    return said if said or entry.cache is None else _cache_findings(service, entry.cache)


def _cache_findings(service: Service, cache: CacheFile) -> list[tuple[str, str]]:
    said = []
    if service.kind is Kind.WFS or code_of(service.crs) not in PYRAMIDS:
        try:
            tiles_of(service, None)
        except Misconfigured as error:
            said.append(("cache", str(error)))
        return said
    least = PYRAMIDS[code_of(service.crs) or 0].least_zoom
    first, last = cache.zooms
    if not least <= first <= last <= MOST_ZOOM:
        said.append(("cache.zooms", f"two levels between {least} and {MOST_ZOOM}, the smaller first"))
    west, south, east, north = cache.box
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        said.append(("cache.box", "west, south, east, north in degrees, such as [117.6, 30.6, 118.9, 31.6]"))
    return said
