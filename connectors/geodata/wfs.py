"""Cells of a WFS: what it offers, and one feature type, page by page, as the polygons of a file would be.

Pages are GML, for in it alone every server says which axis comes first. What is asked goes through the same door as
every other question to an upstream service: bounded, and the token to its own host only.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import shapely
from lxml import etree

from canonical.coordinates import STANDARD, Systems
from canonical.findings import Finding, Severity
from connectors.geodata.crs import settled
from connectors.geodata.gdal import read_gdal
from connectors.geodata.polygons import converted
from connectors.geodata.sheet import MOST_ROWS, Layer, Sheet, as_array, silent, too_large, unreadable
from connectors.geodata.words import Encoding
from connectors.ogc.asking import Asker, Failed, Trouble
from connectors.ogc.capabilities import Capabilities
from connectors.ogc.document import parsed
from connectors.ogc.reading import read as read_capabilities
from connectors.ogc.service import Service

PAGE = 1000
"""Features asked for at once: some MB of GML."""
TIMEOUT = 120.0
"""Seconds for a page: a server that gives everything at once takes its time."""
_SCHEMA = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"
_MEMBERS = ("{*}member", "{*}featureMember")


@dataclass(frozen=True, slots=True)
class _Page:
    """One answer."""

    layer: Layer
    texts: frozenset[bytes]
    """Digests of what its features say: their names some servers make up anew in each answer."""
    matched: int | None
    """Features that the server has, where it says."""


async def read_wfs(
    service: Service, *, crs: str = "", systems: Systems = STANDARD, progress: Callable[[int, int], None] = silent
) -> Sheet:
    """The polygons of the service's first layer in CGCS2000 degrees. `progress` hears features and their number.

    `crs`: what the numbers are where the server does not say it. Raises ContractViolation with what to do: no answer,
    an exception, no such layer, or fewer features than the server says there are.
    """
    asker = Asker(service, timeout=TIMEOUT)
    try:
        capabilities = read_capabilities(await asker.document(service.capabilities()))
        name = _type(service, capabilities)
        pages = await _pages(asker, name, progress)
    except Failed as error:
        raise unreadable(f"{service.name}: {error}") from None
    finally:
        await asker.close()
    made = _joined(pages, name, service)
    return converted(made, settled(made, crs, systems, name), systems, name, silent)


def _type(service: Service, found: Capabilities) -> str:
    names = [one.name for one in found.layers]
    wanted = service.layers[0] if service.layers else ""
    if not wanted and len(names) == 1:
        return names[0]
    fitting = [name for name in names if wanted and wanted in (name, name.partition(":")[2])]
    if len(fitting) != 1:
        shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
        raise unreadable(f"{service.name}: say which layer: {shown}")
    return fitting[0]


async def _pages(asker: Asker, name: str, progress: Callable[[int, int], None]) -> list[_Page]:
    """Page by page until one is empty: servers give fewer than they are asked for, and count as few.

    Versions before 2.0 give everything at once, and so do servers that read neither COUNT nor STARTINDEX.
    """
    pages: list[_Page] = []
    seen, total, size = set[bytes](), 0, PAGE
    paged = asker.service.asked_version.startswith("2")
    while True:
        whole = bool(pages) and (total > PAGE * len(pages) or total == (pages[-1].matched or -1))
        try:
            page = _page(await asker.document(asker.service.features(name, total if paged else None, size)), name)
        except Failed as error:
            if error.trouble is Trouble.EXCEPTION and whole:  # behind the last feature there is nothing to ask for
                return pages
            if error.trouble is not Trouble.TOO_LARGE or not paged or size == 1:
                raise
            size = max(1, size // 8)
            continue
        if repeated := seen & page.texts:
            if whole:
                return pages
            raise unreadable(
                f"{name}: the server gives {len(repeated)} features again instead of the next ones: it cannot page; "
                "try version 1.1.0"
            )
        pages.append(page)
        seen |= page.texts
        total += len(page.layer.rows)
        progress(total, max(page.matched or 0, total))
        if total > MOST_ROWS:
            raise too_large(f"{name}: more than {MOST_ROWS} features")
        if not paged or not page.layer.rows:
            return pages


def _page(body: bytes, name: str) -> _Page:
    root = parsed(body)
    root.attrib.pop(_SCHEMA, "")  # GDAL would fetch it
    members = [feature for path in _MEMBERS for member in root.iterfind(path) for feature in member]
    members += [feature for group in root.iterfind("{*}featureMembers") for feature in group]
    texts = frozenset(hashlib.sha256("\n".join(map(str, one.itertext())).encode()).digest() for one in members)
    matched = root.get("numberMatched") or ""
    layer = _read(root, name) if members else Layer((), [], np.empty(0, object), "", "")
    if len(layer.rows) != len(members):
        raise unreadable(f"{name}: {len(members)} features came and {len(layer.rows)} could be read")
    return _Page(layer, texts, int(matched) if matched.isdecimal() else None)


def _read(root: etree._Element, name: str) -> Layer:
    with TemporaryDirectory(prefix="gridhub-") as folder:
        path = Path(folder) / "page.gml"
        path.write_bytes(etree.tostring(root))
        layer, _ = read_gdal(path, name, {"GML"}, "", Encoding("utf-8", "by the standard"))
    return layer


def _joined(pages: list[_Page], name: str, service: Service) -> Layer:
    layers = [page.layer for page in pages if page.layer.rows]
    if not layers:
        raise unreadable(f"{name}: the server has no feature of it")
    systems = {layer.crs for layer in layers}
    if len(systems) > 1:
        raise unreadable(f"{name}: pages come in several CRSs: {', '.join(sorted(systems))}")
    rows = [row for layer in layers for row in layer.rows]
    told = max((page.matched or 0 for page in pages), default=0)
    if told > len(rows):
        raise unreadable(f"{name}: the server tells of {told} features and gives {len(rows)}: ask its office for all")
    columns = tuple(dict.fromkeys(column for layer in layers for column in layer.columns))
    shapes = as_array([shape for layer in layers for shape in layer.shapes])
    if service.swap_axes:
        shapes = shapely.transform(shapes, lambda points: points[:, ::-1])
    findings = [finding for layer in layers for finding in layer.findings]
    if not service.asked_version.startswith("2"):
        text = f"WFS {service.asked_version} has no pages: a limit of the server would not show. Are {len(rows)} all?"
        findings.append(Finding(name, 0, "", text, Severity.WARNING))
    how = f"WFS {service.asked_version}, {name}, {len(layers)} pages"
    return Layer(columns, rows, shapes, systems.pop(), how, findings)
