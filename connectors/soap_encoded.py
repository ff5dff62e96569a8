"""SOAP 1.1, section 5: the body of rpc/encoded services, such as Axis 1 offers. Every value says its type.

zeep writes such bodies as literal ones, which those services do not understand.
"""

from collections.abc import Mapping
from typing import Any

from lxml import etree
from zeep.xsd import ComplexType, Nil

ENCODING = "http://schemas.xmlsoap.org/soap/encoding/"
_XSI, _SOAP = "http://www.w3.org/2001/XMLSchema-instance", "http://schemas.xmlsoap.org/soap/envelope/"
_XSD = "http://www.w3.org/2001/XMLSchema"
_PREFIXES = {"soapenv": _SOAP, "xsd": _XSD, "xsi": _XSI, "soapenc": ENCODING}
_SIMPLE = ("string", "boolean", "int", "long", "short", "byte", "integer", "decimal", "float", "double", "dateTime",
           "base64Binary", "anyURI")  # fmt: skip

SCHEMA = (
    f'<schema xmlns="{_XSD}" targetNamespace="{ENCODING}">'
    '<attribute name="arrayType" type="string"/><complexType name="Array"><sequence>'
    '<any minOccurs="0" maxOccurs="unbounded" processContents="lax"/></sequence></complexType>'
    + "".join(f'<simpleType name="{name}"><restriction base="{name}"/></simpleType>' for name in _SIMPLE)
    + '<simpleType name="base64"><restriction base="base64Binary"/></simpleType></schema>'
).encode()
"""What WSDLs take from that namespace: nothing is loaded from the network for it."""


def encoded(body: Any, arguments: Mapping[str, Any], blocks: list[etree._Element]) -> etree._Element:  # noqa: ANN401
    """The envelope of an rpc/encoded call. `body`: zeep's element of the operation, `arguments`: fitted to it."""
    prefixes: Any = dict(_PREFIXES)
    envelope = etree.Element(f"{{{_SOAP}}}Envelope", nsmap=prefixes)
    if blocks:
        etree.SubElement(envelope, f"{{{_SOAP}}}Header").extend(blocks)
    call = etree.SubElement(etree.SubElement(envelope, f"{{{_SOAP}}}Body"), body.qname)
    call.set(f"{{{_SOAP}}}encodingStyle", ENCODING)
    for name, element in body.type.elements:
        _write(call, name, element.type, arguments.get(name))
    return envelope


def _write(parent: etree._Element, name: str, type_: Any, value: object) -> None:  # noqa: ANN401
    node = etree.SubElement(parent, name)  # accessors have no namespace
    if value is None or value is Nil:
        node.set(f"{{{_XSI}}}nil", "true")
    elif not isinstance(type_, ComplexType):
        _typed(node, type_)
        node.text = type_.xmlvalue(value)
    elif type_._array_type is not None:
        _array(node, type_._array_type.array_type, value if isinstance(value, list) else [value])
    else:
        _typed(node, type_)
        given = value if isinstance(value, Mapping) else {}
        for member, element in type_.elements:
            many = given.get(member)
            for one in many if element.accepts_multiple and isinstance(many, list) else [many]:
                if one is not None or not element.is_optional:
                    _write(node, element.name, element.type, one)


def _typed(node: etree._Element, type_: Any) -> None:  # noqa: ANN401
    if type_.qname is not None:
        node.set(f"{{{_XSI}}}type", type_.qname)


def _array(node: etree._Element, item: Any, items: list[object]) -> None:  # noqa: ANN401
    node.set(f"{{{_XSI}}}type", "soapenc:Array")
    node.set(f"{{{ENCODING}}}arrayType", item.qname)  # written with a prefix that is declared; the count follows it
    node.set(f"{{{ENCODING}}}arrayType", f"{node.get(f'{{{ENCODING}}}arrayType')}[{len(items)}]")
    for one in items:
        _write(node, "item", item, one)
