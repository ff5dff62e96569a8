"""DescribeFeatureType: the application schema of what one scope sees."""

from collections.abc import Sequence

from maps.table import Kind, Layer, Shape
from maps.writing.gml import GEOMETRY, GML, NAMESPACE, PREFIX

_TYPES = {
    Kind.TEXT: "xsd:string", Kind.WHOLE: "xsd:integer", Kind.NUMBER: "xsd:double", Kind.FLAG: "xsd:boolean",
    Kind.INSTANT: "xsd:dateTime", Kind.DAY: "xsd:date",
}  # fmt: skip
_SHAPES = {Shape.POINT: "gml:PointPropertyType", Shape.SURFACE: "gml:MultiSurfacePropertyType"}


def schema(layers: Sequence[Layer]) -> bytes:
    """The XSD, UTF-8."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:gml="{GML}" xmlns:{PREFIX}="{NAMESPACE}" '
        f'targetNamespace="{NAMESPACE}" elementFormDefault="qualified" version="1.0">\n'
        f'<xsd:import namespace="{GML}" schemaLocation="http://schemas.opengis.net/gml/3.2.1/gml.xsd"/>\n'
        f"{''.join(map(_type, layers))}</xsd:schema>\n"
    ).encode()


def _type(layer: Layer) -> str:
    elements = "".join(
        f'<xsd:element name="{field.name}" type="{_TYPES[field.kind]}" minOccurs="0"><xsd:annotation>'
        f"<xsd:documentation>{field.title}</xsd:documentation></xsd:annotation></xsd:element>"
        for field in layer.fields
    )
    elements += f'<xsd:element name="{GEOMETRY}" type="{_SHAPES[layer.shape]}" minOccurs="0"/>'
    return (
        f'<xsd:element name="{layer.name}" type="{PREFIX}:{layer.name}Type" substitutionGroup="gml:AbstractFeature"/>\n'
        f'<xsd:complexType name="{layer.name}Type"><xsd:complexContent><xsd:extension base="gml:AbstractFeatureType">'
        f"<xsd:sequence>{elements}</xsd:sequence></xsd:extension></xsd:complexContent></xsd:complexType>\n"
    )
