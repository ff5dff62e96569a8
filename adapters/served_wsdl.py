"""The WSDL a door serves, as a client needs it: with our address in it, and what it imports to be had from us too."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from lxml import etree

from canonical.errors import Misconfigured

_WSDL, _XSD = "{http://schemas.xmlsoap.org/wsdl/}", "{http://www.w3.org/2001/XMLSchema}"
_STATED = {
    f"{_XSD}import": ("schemaLocation", "xsd"), f"{_XSD}include": ("schemaLocation", "xsd"),
    f"{_WSDL}import": ("location", "wsdl"),
}  # fmt: skip
"""What imports: where its place stands, and the name in the query it is asked for by."""
_ADDRESSES = frozenset(
    f"{{http://schemas.xmlsoap.org/wsdl/{soap}/}}address" for soap in ("soap", "soap12", "http")
)  # fmt: skip
_STANDARD = frozenset({"www.w3.org", "schemas.xmlsoap.org"})
"""Hosts of schemas that are nobody's own."""


@dataclass(frozen=True, slots=True)
class ServedWsdl:
    """A WSDL and what it imports, by file name."""

    name: str
    documents: Mapping[str, bytes]

    def document(self, query: str, address: str) -> bytes | None:
        """What is asked for by `wsdl`, `wsdl=NAME` or `xsd=NAME`; None: no such document. `address`: of the door."""
        key, _, name = query.partition("=")
        if key.lower() not in {"wsdl", "xsd", "singlewsdl"}:
            return None
        wanted = name if name in self.documents else self.name if key.lower() != "xsd" else None
        if wanted is None:
            return None
        root = _parsed(self.documents[wanted])
        for node in root.iter(*_ADDRESSES) if address else ():
            node.set("location", address)
        for node in root.iter(*_STATED):
            attribute, kind = _STATED[str(node.tag)]
            stated = node.get(attribute, "")
            if _own(stated):
                node.set(attribute, f"{address}?{kind}={_file_of(stated)}")
        return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def read_served(path: Path) -> ServedWsdl:
    """The WSDL with what it imports, which lies beside it. Raises Misconfigured."""
    documents: dict[str, bytes] = {}
    waiting = [path.name]
    while waiting:
        name = waiting.pop()
        if name in documents:
            continue
        try:
            documents[name] = (path.parent / name).read_bytes()
            root = _parsed(documents[name])
        except (OSError, etree.XMLSyntaxError) as error:
            raise Misconfigured(f"contract/{name} is no WSDL that can be read: {type(error).__name__}") from None
        stated = [node.get(_STATED[str(node.tag)][0], "") for node in root.iter(*_STATED)]
        waiting += [_file_of(place) for place in stated if _own(place)]
    return ServedWsdl(path.name, documents)


def _parsed(data: bytes) -> etree._Element:
    return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))


def _own(stated: str) -> bool:
    return bool(stated) and (urlsplit(stated).hostname or "") not in _STANDARD


def _file_of(stated: str) -> str:
    parts = urlsplit(stated)
    return PurePosixPath(parts.query.rpartition("=")[2] or parts.path).name
