"""What a WSDL promises, piece by piece, and what has become of it at the other side. Pure but for parsing."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from lxml import etree

from canonical.errors import ContractViolation

_WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
_SCHEMA = "{http://www.w3.org/2001/XMLSchema}"
_SOAP = ("{http://schemas.xmlsoap.org/wsdl/soap/}", "{http://schemas.xmlsoap.org/wsdl/soap12/}")
_SOAP_OPERATIONS = frozenset(f"{soap}operation" for soap in _SOAP)
_SILENT = frozenset({f"{_WSDL}documentation", f"{_SCHEMA}annotation"})
_NAMES = frozenset({"type", "base", "ref", "element", "message", "binding", "itemType"})
"""Attributes whose value is a name with a prefix."""
_STANDARD = frozenset({"www.w3.org", "schemas.xmlsoap.org"})
"""Hosts of schemas that are nobody's own."""
_SHOWN = 5
_DOCUMENTS = 50
"""A WSDL that is in more files than that is somebody's joke."""

Piece = tuple[str, tuple[tuple[str, str], ...], tuple["Piece", ...]]
"""Name, attributes, children: without prefixes, words for people, and order of attributes."""


@dataclass(frozen=True, slots=True)
class Library:
    """Where the documents lie that a WSDL imports."""

    at: str
    """Of the WSDL itself."""
    place: Callable[[str, str], str]
    """Where a document was had, and what it states of another, to where that is had."""
    load: Callable[[str], bytes]


def pieces(body: bytes, library: Library | None = None) -> dict[str, Piece]:
    """`operation Greet`, `call Greet`, `element Greet`, `type Greeting` to what stands there.

    Imported documents count too; without a library they are passed over. Raises ContractViolation when it is no WSDL,
    and what the library raises.
    """
    documents = list(_documents(body, library))
    own = documents[0].get("targetNamespace", "")
    messages = {node.get("name"): node for root in documents for node in root.iterfind(f"{_WSDL}message")}
    return {
        f"{kind} {node.get('name')}{'' if space == own else f' of {space}'}": (
            _operation(node, messages) if kind == "operation" else _call(node) if "call" in kind else _piece(node)
        )
        for root in documents
        for kind, space, node in _named(root, own)
    }


def _documents(body: bytes, library: Library | None) -> Iterator[etree._Element]:
    root = _parsed(body)
    if root.tag != f"{_WSDL}definitions":
        raise ContractViolation("XML, but no WSDL")
    waiting, had = [(library.at if library else "", root)], {library.at if library else ""}
    while waiting:
        at, root = waiting.pop(0)
        yield root
        for stated in _places(root) if library else ():
            there = library.place(at, stated) if library else ""
            if library and there not in had and len(had) < _DOCUMENTS:
                had.add(there)
                waiting.append((there, _parsed(library.load(there))))


def _places(root: etree._Element) -> list[str]:
    found = root.iter(f"{_SCHEMA}import", f"{_SCHEMA}include", f"{_WSDL}import")
    stated = [node.get("schemaLocation") or node.get("location") or "" for node in found]
    return [place for place in stated if place and (urlsplit(place).hostname or "") not in _STANDARD]


def _parsed(body: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise ContractViolation("no XML: a web page, or an error, where the WSDL was") from None


def changes(ours: Mapping[str, Piece], theirs: Mapping[str, Piece]) -> str:
    """What of ours is gone or otherwise there, in a few words; empty when all of it stands. News is no change."""
    gone = [name for name in ours if name not in theirs]
    other = [name for name in ours if name in theirs and ours[name] != theirs[name]]
    told = [f"{name} is gone" for name in gone] + [f"{name} has changed" for name in other]
    more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return "; ".join(told[:_SHOWN]) + more


def _named(root: etree._Element, own: str) -> Iterator[tuple[str, str, etree._Element]]:
    schemas = [root] if root.tag == f"{_SCHEMA}schema" else root.iterfind(f"{_WSDL}types/{_SCHEMA}schema")
    for schema in schemas:
        for node in schema:
            if node.get("name"):
                kind = "element" if node.tag == f"{_SCHEMA}element" else "type"
                yield kind, schema.get("targetNamespace") or own, node
    for node in root.iterfind(f"{_WSDL}portType/{_WSDL}operation"):
        yield "operation", own, node
    for binding in root.iterfind(f"{_WSDL}binding"):
        for number, soap in enumerate(_SOAP):
            for node in binding.iterfind(f"{_WSDL}operation/{soap}operation/.."):
                yield ("call", "call in SOAP 1.2")[number], own, node


def _operation(node: etree._Element, messages: Mapping[str | None, etree._Element]) -> Piece:
    """What goes in and comes out. The names of messages are the WSDL's own: nothing of them travels."""
    directions = []
    for direction in (f"{_WSDL}input", f"{_WSDL}output"):
        found = node.find(direction)
        message = messages.get((found.get("message") or "").rpartition(":")[2]) if found is not None else None
        directions.append((direction, (), tuple(_piece(part) for part in message) if message is not None else ()))
    return "operation", (), tuple(directions)


def _call(node: etree._Element) -> Piece:
    """How a call travels: its SOAPAction, and how its body is written. The rest of a binding says nothing that does."""
    told = [
        (f"{etree.QName(one).localname} {name}", str(one.get(name, "")))
        for one in node.iterfind(f"{_WSDL}input/*")
        for name in ("use", "namespace")
    ]
    told += [(name, str(one.get(name, ""))) for one in node for name in ("soapAction",) if one.tag in _SOAP_OPERATIONS]
    return "call", tuple(told), ()


def _piece(node: etree._Element) -> Piece:
    attributes = sorted((str(name), _resolved(node, str(name), str(value))) for name, value in node.attrib.items())
    children = [_piece(child) for child in node if isinstance(child.tag, str) and child.tag not in _SILENT]
    return str(node.tag), tuple(attributes), tuple(children)


def _resolved(node: etree._Element, name: str, value: str) -> str:
    prefix, colon, local = value.rpartition(":")
    if name not in _NAMES:
        return value
    return f"{{{node.nsmap.get(prefix if colon else None, '')}}}{local}"
