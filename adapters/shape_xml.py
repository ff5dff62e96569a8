"""XML and SOAP as documents, and back. Names without namespaces; attributes as `@name`, text beside them as `#text`.

Read without entities, DTD and network; the encoding an XML declaration states is ignored, because by then it is text.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from lxml import etree

from adapters.multiref import joined
from adapters.related import include
from adapters.shape_json import DEEPEST, unreadable
from adapters.value import as_text
from canonical.errors import Unacceptable, Why

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
NAMESPACES = {"1.1": SOAP_11, "1.2": SOAP_12}
MEDIA_TYPES = {"1.1": "text/xml", "1.2": "application/soap+xml"}
_CODES_12 = {"Client": "Sender", "Server": "Receiver"}
_BEGINNING = 4096
"""Bytes in which an envelope says its version; a multipart has a head of its own before it."""
_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,200}\?>")
_ILLEGAL_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def read_xml(
    text: str,
    lists: Collection[str] = (),
    check: Callable[[etree._Element], None] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> dict[str, Any]:
    """`{root name: content}`; elements named in `lists` are lists even when there is one.

    `check` raises when the document breaks its schema. `files`: parts it points to. Raises Unacceptable.
    """
    root = _tree(text, files)
    if check is not None:
        check(root)
    return {_local(root.tag): _content(root, frozenset(lists))}


def looks_like_xml(text: str) -> bool:
    """True when the first character that is no white space is `<`."""
    return text.lstrip("\ufeff \t\r\n").startswith("<")


def read_soap(
    text: str,
    element: str | tuple[str, ...],
    lists: Collection[str] = (),
    *,
    version: str = "",
    files: Mapping[str, bytes] | None = None,
) -> dict[str, Any]:
    """A SOAP envelope to the children of `element` in its body; a fault to `{"Fault": {...}}`.

    Of several elements that may come, `{name: children}` of the one that did.

    Either version is read, whatever `version` says it speaks: many answer a fault in the other one.
    """
    root = _tree(text, files)
    namespace = next((one for one in NAMESPACES.values() if root.tag == f"{{{one}}}Envelope"), None)
    inner = root.find(f"{{{namespace}}}Body") if namespace else None
    child = next(iter(inner.iterchildren("*")), None) if inner is not None else None
    if child is None:
        raise unreadable(f"not a SOAP {version or '1.1 or 1.2'} envelope with a body")
    name, content = _local(child.tag), _content(joined(child), frozenset(lists))
    if name == "Fault":
        return {"Fault": content}
    several = isinstance(element, tuple)
    if name not in element if several else name != element:
        expected = " or ".join(element) if isinstance(element, tuple) else element
        raise Unacceptable(f"the operation {expected} is expected", why=Why.UNKNOWN_MESSAGE)
    children = content if isinstance(content, dict) else {}
    return {name: children} if several else children


def version_of(body: bytes, content_type: str) -> str:
    """The SOAP version of what came, by its envelope or else its media type; empty when neither tells."""
    beginning = body[:_BEGINNING]
    for version, namespace in NAMESPACES.items():
        if namespace.encode() in beginning:
            return version
    return "1.2" if content_type.lower().startswith("application/soap+xml") else ""


def _tree(text: str, files: Mapping[str, bytes] | None = None) -> etree._Element:
    bare = _DECLARATION.sub("", text.lstrip("\ufeff"), count=1).lstrip()
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(bare.encode(), parser)
    except (etree.XMLSyntaxError, UnicodeEncodeError, ValueError):
        raise unreadable("not well-formed XML") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise unreadable("XML with a DOCTYPE")
    if files is not None:
        include(root, dict(files))
    return root


def _content(element: etree._Element, repeated: frozenset[str], level: int = 1) -> Any:  # noqa: ANN401
    """Text of a leaf; otherwise children by name, a name met twice (or declared) as a list. Attributes as `@name`."""
    if not len(element) and not element.attrib:
        text = element.text or ""
        return text if text.strip() else ""
    if level > DEEPEST:
        raise unreadable(f"more than {DEEPEST} levels deep")
    content: dict[str, Any] = {
        f"@{_local(name)}": value for name, value in element.attrib.items() if not _is_type(name)
    }
    for child in element:
        name, value = _local(child.tag), _content(child, repeated, level + 1)
        if name in repeated:
            content.setdefault(name, []).append(value)
        elif name not in content:
            content[name] = value
        elif isinstance(content[name], list):
            content[name].append(value)
        else:
            content[name] = [content[name], value]
    text = element.text or ""
    if not content:
        return text if text.strip() else ""
    if text.strip() and not len(element):
        content["#text"] = text
    return content


def _local(name: str | bytes | Callable[..., Any]) -> str:
    """The name without namespace or prefix. Undeclared and cut prefixes pass the parser; a prefix alone is no name."""
    local = str(name).rpartition("}")[2].rpartition(":")[2]
    if not local:
        raise unreadable("a name that is a prefix alone")
    return local


def _is_type(name: str | bytes) -> bool:
    return str(name).startswith("{http://www.w3.org/2001/XMLSchema-instance}")


def xml_text(root: str, tree: object, declaration: str, namespace: str = "") -> str:
    """A tree of mappings, lists and texts as an XML text, with the declaration the other side wants to see."""
    head = f'<?xml version="1.0" encoding="{declaration}"?>' if declaration else ""
    return head + etree.tostring(_element(root, tree, namespace), encoding="unicode")


def _element(name: str, tree: object, namespace: str = "") -> etree._Element:
    prefixes: Any = {None: namespace}  # the stubs do not know the default namespace
    if name.startswith("{"):  # a name of another namespace, which those below it do not share
        element = etree.Element(name)
    else:
        element = etree.Element(f"{{{namespace}}}{name}", nsmap=prefixes) if namespace else etree.Element(name)
    if isinstance(tree, Mapping):
        for child, below in tree.items():
            if child.startswith("@"):
                element.set(child[1:], legal("" if below is None else as_text(below)))
                continue
            if child == "#text":
                element.text = legal("" if below is None else as_text(below))
                continue
            for one in below if isinstance(below, list) else [below]:
                element.append(_element(child, one, namespace))
    else:
        element.text = legal("" if tree is None else as_text(tree))
    return element


def soap_body(namespace: str, element: str, tree: object, version: str = "1.1", prefix: str = "soap") -> bytes:
    """A SOAP envelope around one element of `namespace`."""
    soap = NAMESPACES[version]
    envelope = etree.Element(f"{{{soap}}}Envelope", nsmap={prefix: soap})
    body = etree.SubElement(envelope, f"{{{soap}}}Body")
    body.append(_element(element, tree, namespace))
    return etree.tostring(envelope, xml_declaration=True, encoding="utf-8")


def soap_fault(code: str, text: str, version: str = "1.1", prefix: str = "soap") -> bytes:
    """A SOAP fault; `code` in the words of 1.1, which 1.2 has others for."""
    soap = NAMESPACES[version]
    envelope = etree.Element(f"{{{soap}}}Envelope", nsmap={prefix: soap})
    fault = etree.SubElement(etree.SubElement(envelope, f"{{{soap}}}Body"), f"{{{soap}}}Fault")
    if soap == SOAP_12:
        value = etree.SubElement(etree.SubElement(fault, f"{{{soap}}}Code"), f"{{{soap}}}Value")
        value.text = f"{prefix}:{_CODES_12.get(code, code)}"
        words = etree.SubElement(etree.SubElement(fault, f"{{{soap}}}Reason"), f"{{{soap}}}Text")
        words.set("{http://www.w3.org/XML/1998/namespace}lang", "zh")
        words.text = legal(text)
    else:
        etree.SubElement(fault, "faultcode").text = f"{prefix}:{code}"
        etree.SubElement(fault, "faultstring").text = legal(text)
    return etree.tostring(envelope, xml_declaration=True, encoding="utf-8")


def legal(text: str) -> str:
    """The text without characters XML cannot hold at all (no escape exists for them)."""
    return _ILLEGAL_IN_XML.sub("", text)
