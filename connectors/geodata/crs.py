"""Which CRS a file says it is in, by the names of `canonical.coordinates`; and whether that is what was passed."""

from collections.abc import Mapping
from types import MappingProxyType

from pyproj import CRS
from pyproj.exceptions import CRSError

from canonical.coordinates import STANDARD, Systems
from connectors.geodata.sheet import Layer, unreadable

WGS_84 = "EPSG:4326"
_KNOWN = (
    "EPSG:4490 (CGCS2000), EPSG:4326, EPSG:3857, EPSG:4491 to 4554 (CGCS2000 Gauss-Kruger), EPSG:4610, EPSG:4214, "
    "GCJ-02, BD-09, BD-09MC, or LOCAL: and a name under coordinates in city.yaml"
)
_LONGITUDE_FIRST: Mapping[str, str] = MappingProxyType(
    {"OGC:CRS84": WGS_84, "OGC:CRS83": "", "EPSG:900913": "EPSG:3857"}
)
"""Other names of the same, since x is always first in a file."""
_DATUMS: Mapping[str, str] = MappingProxyType(
    {"china2000": "EPSG:4490", "chinageodeticcoordinatesystem2000": "EPSG:4490", "cgcs2000": "EPSG:4490",
     "wgs1984": WGS_84, "worldgeodeticsystem1984": WGS_84, "worldgeodeticsystem1984ensemble": WGS_84,
     "xian1980": "EPSG:4610", "beijing1954": "EPSG:4214"}
)  # fmt: skip
"""A datum, without blanks, lines and ESRI's `D_`, and its degrees."""


def found(text: str) -> str:
    """The name of a CRS that a file gives as WKT, in ESRI's words or with an authority; as it is, if we have none.

    Empty for the words of a file that does not know.
    """
    if not text.strip():
        return ""
    try:
        crs = CRS.from_user_input(text)
    except CRSError:
        return " ".join(text.split())[:80]
    if crs.is_engineering or crs.name.lower().startswith(("undefined", "unknown")):
        return ""
    authority = crs.to_authority(min_confidence=70)
    name = ":".join(authority) if authority else ""
    name = _LONGITUDE_FIRST.get(name, name)
    if STANDARD.known(name):
        return name
    return _by_parts(crs) or name or crs.name


def _by_parts(crs: CRS) -> str:
    """By datum and projection: files often have names of their own for them."""
    datum = _DATUMS.get(_plain(crs.datum.name), "") if crs.datum else ""
    if crs.is_geographic:
        return datum
    operation = crs.coordinate_operation
    if datum not in ("EPSG:4490", WGS_84) or operation is None or operation.method_name != "Transverse Mercator":
        return ""
    return _zone({str(one.name).lower(): float(one.value) for one in operation.params})


def _plain(name: str) -> str:
    return name.lower().removeprefix("d_").replace("_", "").replace(" ", "")


def _zone(values: Mapping[str, float]) -> str:
    """The Gauss-Kruger zone of these parameters. Of three and six degrees' zones with the same numbers: the former."""
    meridian, easting = values.get("longitude of natural origin", 0.0), values.get("false easting", 0.0)
    others = (values.get("latitude of natural origin", 0.0), values.get("false northing", 0.0))
    scale = values.get("scale factor at natural origin", 1.0)
    if others != (0.0, 0.0) or scale != 1.0:
        return ""
    for first, width, prefix in ((4534, 3, 0), (4513, 3, 25), (4502, 6, 0), (4491, 6, 13)):
        number, rest = divmod(meridian - 75, width)
        middle = 500_000 + (1_000_000 * (prefix + number) if prefix else 0)
        if rest == 0 and 0 <= number <= 60 // width and easting == middle:
            return f"EPSG:{first + int(number)}"
    return ""


def settled(layer: Layer, crs: str, systems: Systems, name: str) -> str:
    """The CRS to convert from. Raises ContractViolation: unknown, missing, or not what the file says."""
    if crs and not systems.known(crs):
        raise unreadable(f"the CRS '{crs[:60]}' is not known: pass {_KNOWN}")
    if not layer.crs and not crs:
        raise unreadable(f"{name}: the file does not say its CRS: pass it: {_KNOWN}")
    if crs and layer.crs and not layer.assumed and not _same(crs, layer.crs):
        raise unreadable(
            f"{name}: the file says {layer.crs}, and {crs} was passed: leave the option out, or correct the file"
        )
    taken = crs or layer.crs
    if not systems.known(taken):
        raise unreadable(f"{name}: the file is in {taken}, which is not converted: deliver it in one of {_KNOWN}")
    return taken


def _same(one: str, other: str) -> bool:
    """The same, or Gauss-Kruger zones of three and six degrees around one meridian: their numbers are the same."""
    return one == other or (_by_epsg(one) != "" and _by_epsg(one) == _by_epsg(other))


def _by_epsg(name: str) -> str:
    return _by_parts(CRS.from_user_input(name)) if name.startswith("EPSG:4") and name > "EPSG:4490" else ""
