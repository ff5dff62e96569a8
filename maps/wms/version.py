"""What differs between the versions of WMS, as a table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Version:
    """One version."""

    number: str
    root: str
    """Of capabilities."""
    capabilities_type: str
    crs: str
    """The parameter, and the element, that names a CRS."""
    by_registry: bool
    """Boxes follow the axis order of the EPSG registry."""
    column: str
    row: str
    """Parameters of the pixel in GetFeatureInfo."""
    exceptions: dict[str, str]
    """What EXCEPTIONS may say, to how the client then hears of problems; the first is the default."""
    exception_type: str
    exception_head: str
    locators: bool
    bad_crs: str
    """The code for a CRS that is not offered."""


V130 = Version(
    "1.3.0", "WMS_Capabilities", "text/xml", "CRS", by_registry=True, column="I", row="J",
    exceptions={"XML": "xml", "INIMAGE": "inimage", "BLANK": "blank"}, exception_type="text/xml",
    exception_head=(
        '<ServiceExceptionReport version="1.3.0" xmlns="http://www.opengis.net/ogc" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://www.opengis.net/ogc '
        'http://schemas.opengis.net/wms/1.3.0/exceptions_1_3_0.xsd">'
    ),
    locators=True, bad_crs="InvalidCRS",
)  # fmt: skip
V111 = Version(
    "1.1.1", "WMT_MS_Capabilities", "application/vnd.ogc.wms_xml", "SRS", by_registry=False, column="X", row="Y",
    exceptions={
        "application/vnd.ogc.se_xml": "xml", "application/vnd.ogc.se_inimage": "inimage",
        "application/vnd.ogc.se_blank": "blank",
    },
    exception_type="application/vnd.ogc.se_xml",
    exception_head=(
        '<!DOCTYPE ServiceExceptionReport SYSTEM "http://schemas.opengis.net/wms/1.1.1/exception_1_1_1.dtd">\n'
        '<ServiceExceptionReport version="1.1.1">'
    ),
    locators=False, bad_crs="InvalidSRS",
)  # fmt: skip

BY_NUMBER = {one.number: one for one in (V130, V111)}


def negotiated(asked: str) -> Version:
    """The version to answer GetCapabilities in: the asked one, else the next lower, else the lowest (1.3.0, 6.2.4)."""
    try:
        wanted = tuple(int(part) for part in asked.split(".")[:3])
    except ValueError:
        return V130
    return V130 if not asked or wanted >= (1, 3, 0) else V111
