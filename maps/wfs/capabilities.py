"""Capabilities of WFS 2.0 for one scope. Boxes are the city's; nothing is counted or measured."""

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

from maps.contact import Contact, ows_constraints, ows_provider
from maps.crs import urns
from maps.filtering.fes import COMPARISONS, SPATIAL, TEMPORAL
from maps.limits import Limits
from maps.table import Layer
from maps.wfs.order import CSV_TYPE, DEFAULT_CRS, GML_TYPE, JSON_TYPE
from maps.writing.gml import NAMESPACE, PREFIX

_SPACES = (
    'xmlns="http://www.opengis.net/wfs/2.0" xmlns:wfs="http://www.opengis.net/wfs/2.0" '
    'xmlns:ows="http://www.opengis.net/ows/1.1" xmlns:fes="http://www.opengis.net/fes/2.0" '
    'xmlns:gml="http://www.opengis.net/gml/3.2" xmlns:xlink="http://www.w3.org/1999/xlink" '
    f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:{PREFIX}="{NAMESPACE}" '
    'xsi:schemaLocation="http://www.opengis.net/wfs/2.0 http://schemas.opengis.net/wfs/2.0/wfs.xsd"'
)
_OUTPUT = (GML_TYPE, "text/xml; subtype=gml/3.2", JSON_TYPE, CSV_TYPE)
_OPERATIONS: Sequence[tuple[str, Sequence[tuple[str, Sequence[str]]]]] = (
    ("GetCapabilities", (("AcceptVersions", ("2.0.0",)), ("AcceptFormats", ("text/xml",)))),
    ("DescribeFeatureType", (("outputFormat", (GML_TYPE,)),)),
    ("GetFeature", (("outputFormat", _OUTPUT), ("resultType", ("results", "hits")))),
    ("GetPropertyValue", (("outputFormat", (GML_TYPE,)),)), ("ListStoredQueries", ()), ("DescribeStoredQueries", ()),
)  # fmt: skip
_CONSTRAINTS = {
    "ImplementsBasicWFS": True, "ImplementsTransactionalWFS": False, "ImplementsLockingWFS": False, "KVPEncoding": True,
    "XMLEncoding": True, "SOAPEncoding": False, "ImplementsInheritance": False, "ImplementsRemoteResolve": False,
    "ImplementsResultPaging": True, "ImplementsStandardJoins": False, "ImplementsSpatialJoins": False,
    "ImplementsTemporalJoins": False, "ImplementsFeatureVersioning": False, "ManageStoredQueries": False,
}  # fmt: skip
_CONFORMANCE = {
    "ImplementsQuery": True, "ImplementsAdHocQuery": True, "ImplementsFunctions": False, "ImplementsResourceId": True,
    "ImplementsMinStandardFilter": True, "ImplementsStandardFilter": True, "ImplementsMinSpatialFilter": True,
    "ImplementsSpatialFilter": True, "ImplementsMinTemporalFilter": True, "ImplementsTemporalFilter": False,
    "ImplementsVersionNav": False, "ImplementsSorting": True, "ImplementsExtendedOperators": False,
    "ImplementsMinimumXPath": True, "ImplementsSchemaElementFunc": False,
}  # fmt: skip


def capabilities(
    title: str, abstract: str, start: str, layers: Iterable[Layer], limits: Limits, contact: Contact
) -> bytes:  # fmt: skip
    """The document, UTF-8."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<wfs:WFS_Capabilities version="2.0.0" {_SPACES}>'
        f"<ows:ServiceIdentification><ows:Title>{escape(title)}</ows:Title><ows:Abstract>{escape(abstract)}</ows:Abstract>"
        "<ows:ServiceType>WFS</ows:ServiceType><ows:ServiceTypeVersion>2.0.0</ows:ServiceTypeVersion>"
        f"{ows_constraints(contact)}</ows:ServiceIdentification>{ows_provider(title, contact)}"
        f"<ows:OperationsMetadata>{''.join(_operation(*one, start, limits) for one in _OPERATIONS)}"
        '<ows:Parameter name="version"><ows:AllowedValues><ows:Value>2.0.0</ows:Value></ows:AllowedValues>'
        "</ows:Parameter>"
        f"{_constraints(_CONSTRAINTS)}"
        f"{_count(limits)}</ows:OperationsMetadata>"
        f"<FeatureTypeList>{''.join(map(_feature_type, layers))}</FeatureTypeList>{_filters()}"
        "</wfs:WFS_Capabilities>\n"
    ).encode()


def _operation(name: str, parameters: Sequence[tuple[str, Sequence[str]]], start: str, limits: Limits) -> str:
    told = "".join(
        f'<ows:Parameter name="{key}"><ows:AllowedValues>{"".join(f"<ows:Value>{one}</ows:Value>" for one in values)}'
        "</ows:AllowedValues></ows:Parameter>"
        for key, values in parameters
    )
    count = _count(limits) if name == "GetFeature" else ""  # where GDAL looks for the size of its pages
    return (
        f'<ows:Operation name="{name}"><ows:DCP><ows:HTTP><ows:Get xlink:href={quoteattr(start)}/>'
        f"<ows:Post xlink:href={quoteattr(start.rstrip('?&'))}/></ows:HTTP></ows:DCP>{told}{count}</ows:Operation>"
    )


def _count(limits: Limits) -> str:
    """How many features an answer has at most."""
    return (
        f'<ows:Constraint name="CountDefault"><ows:NoValues/><ows:DefaultValue>{limits.features}</ows:DefaultValue>'
        "</ows:Constraint>"
    )


def _constraints(values: dict[str, bool], space: str = "ows") -> str:
    return "".join(
        f'<{space}:Constraint name="{name}"><ows:NoValues/><ows:DefaultValue>{str(value).upper()}</ows:DefaultValue>'
        f"</{space}:Constraint>"
        for name, value in values.items()
    )


def _feature_type(layer: Layer) -> str:
    west, south, east, north = layer.extent
    others = "".join(f"<OtherCRS>{name}</OtherCRS>" for name in urns() if name != DEFAULT_CRS.name)
    return (
        f"<FeatureType><Name>{PREFIX}:{layer.name}</Name><Title>{escape(layer.title)}</Title>"
        f"<Abstract>{escape(layer.abstract)}</Abstract><DefaultCRS>{DEFAULT_CRS.name}</DefaultCRS>{others}"
        f"<ows:WGS84BoundingBox><ows:LowerCorner>{west:.6f} {south:.6f}</ows:LowerCorner><ows:UpperCorner>"
        f"{east:.6f} {north:.6f}</ows:UpperCorner></ows:WGS84BoundingBox></FeatureType>"
    )


def _filters() -> str:
    operands = _named("GeometryOperand", [f"gml:{one}" for one in _OPERANDS])
    return (
        f"<fes:Filter_Capabilities><fes:Conformance>{_constraints(_CONFORMANCE, 'fes')}</fes:Conformance>"
        '<fes:Id_Capabilities><fes:ResourceIdentifier name="fes:ResourceId"/></fes:Id_Capabilities>'
        "<fes:Scalar_Capabilities><fes:LogicalOperators/><fes:ComparisonOperators>"
        f"{_named('ComparisonOperator', _SCALAR)}"
        "</fes:ComparisonOperators></fes:Scalar_Capabilities><fes:Spatial_Capabilities><fes:GeometryOperands>"
        f"{operands}"
        "</fes:GeometryOperands><fes:SpatialOperators>"
        f"{_named('SpatialOperator', SPATIAL)}"
        "</fes:SpatialOperators></fes:Spatial_Capabilities><fes:Temporal_Capabilities><fes:TemporalOperands>"
        f"{_named('TemporalOperand', ('gml:TimeInstant', 'gml:TimePeriod'))}</fes:TemporalOperands>"
        f"<fes:TemporalOperators>{_named('TemporalOperator', TEMPORAL)}"
        "</fes:TemporalOperators></fes:Temporal_Capabilities></fes:Filter_Capabilities>"
    )


def _named(element: str, names: Iterable[str]) -> str:
    return "".join(f"<fes:{element} name={quoteattr(name)}/>" for name in names)


_OPERANDS = ("Point", "LineString", "Polygon", "MultiSurface", "MultiPoint", "Envelope")
_SCALAR = (*COMPARISONS, "PropertyIsLike", "PropertyIsBetween", "PropertyIsNull")
