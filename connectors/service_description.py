"""What a WSDL promises, piece by piece, and what has become of it at the other side. Pure but for parsing."""

from collections.abc import Iterator, Mapping

from lxml import etree

from canonical.errors import ContractViolation

_WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
_SCHEMA = "{http://www.w3.org/2001/XMLSchema}"
_SILENT = frozenset({f"{_WSDL}documentation", f"{_SCHEMA}annotation"})
_NAMES = frozenset({"type", "base", "ref", "element", "message", "binding", "itemType"})
"""Attributes whose value is a name with a prefix."""
_SHOWN = 5

Piece = tuple[str, tuple[tuple[str, str], ...], tuple["Piece", ...]]
"""Name, attributes, children: without prefixes, words for people, and order of attributes."""


def pieces(body: bytes) -> dict[str, Piece]:
    """`operation Greet`, `element Greet`, `type Greeting` to what stands there.

    Raises ContractViolation when it is no WSDL.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise ContractViolation("no XML: a web page, or an error, where the WSDL was") from None
    if root.tag != f"{_WSDL}definitions":
        raise ContractViolation("XML, but no WSDL")
    messages = {node.get("name"): node for node in root.iterfind(f"{_WSDL}message")}
    return {
        f"{kind} {node.get('name')}": _operation(node, messages) if kind == "operation" else _piece(node)
        for kind, node in _named(root)
    }


def changes(ours: Mapping[str, Piece], theirs: Mapping[str, Piece]) -> str:
    """What of ours is gone or otherwise there, in a few words; empty when all of it stands. News is no change."""
    gone = [name for name in ours if name not in theirs]
    other = [name for name in ours if name in theirs and ours[name] != theirs[name]]
    told = [f"{name} is gone" for name in gone] + [f"{name} has changed" for name in other]
    more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return "; ".join(told[:_SHOWN]) + more


def _named(root: etree._Element) -> Iterator[tuple[str, etree._Element]]:
    for schema in root.iterfind(f"{_WSDL}types/{_SCHEMA}schema"):
        for node in schema:
            if node.get("name"):
                yield ("element" if node.tag == f"{_SCHEMA}element" else "type"), node
    for node in root.iterfind(f"{_WSDL}portType/{_WSDL}operation"):
        yield "operation", node


def _operation(node: etree._Element, messages: Mapping[str | None, etree._Element]) -> Piece:
    """What goes in and comes out. The names of messages are the WSDL's own: nothing of them travels."""
    directions = []
    for direction in (f"{_WSDL}input", f"{_WSDL}output"):
        found = node.find(direction)
        message = messages.get((found.get("message") or "").rpartition(":")[2]) if found is not None else None
        directions.append((direction, (), tuple(_piece(part) for part in message) if message is not None else ()))
    return "operation", (), tuple(directions)


def _piece(node: etree._Element) -> Piece:
    attributes = sorted((str(name), _resolved(node, str(name), str(value))) for name, value in node.attrib.items())
    children = [_piece(child) for child in node if isinstance(child.tag, str) and child.tag not in _SILENT]
    return str(node.tag), tuple(attributes), tuple(children)


def _resolved(node: etree._Element, name: str, value: str) -> str:
    prefix, colon, local = value.rpartition(":")
    if name not in _NAMES:
        return value
    return f"{{{node.nsmap.get(prefix if colon else None, '')}}}{local}"
