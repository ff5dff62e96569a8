"""From bytes to a document, and back: form part, JSON, SOAP, XML.

Every problem of the bytes is an Unacceptable with why UNREADABLE. XML is read without entities, DTD and network; the
encoding an inner XML document states is ignored, because by then it is text.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson
from lxml import etree
from multipart import MultipartError, PushMultipartParser, parse_options_header

from canonical.errors import Unacceptable, Why
from canonical.message import Message

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
FORM_TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")
_MAX_FIELDS = 64
_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,200}\?>")
_ILLEGAL_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_NUL_MARK = b"\\u0000"
DEEPEST = 64
"""Levels of a document: validators recurse, and no contract is near this."""

Step = Callable[[Any, Message], Any]
"""One step of reading: what the former step gave (first: the body's bytes), and the message around it."""


def unreadable(text: str) -> Unacceptable:
    """The bytes are not what the transport says."""
    return Unacceptable(text, why=Why.UNREADABLE)


def media_type(message: Message) -> str:
    """The media type without its options, lower case."""
    return message.content_type.partition(";")[0].strip().lower()


def decoded(body: bytes | str, charset: str) -> str:
    """Text in the declared charset; broken bytes are an error, never a replacement character."""
    if isinstance(body, str):
        return body
    try:
        return body.decode(charset)
    except UnicodeDecodeError as error:
        raise unreadable(f"not {charset} at byte {error.start}") from None


def json_step(charset: str) -> Step:
    """Bytes or text to a JSON document. U+0000 is refused: no text column can hold it."""

    def read(body: bytes | str, _message: Message) -> Any:  # noqa: ANN401
        data = body if charset == "utf-8" and isinstance(body, bytes) else decoded(body, charset).encode()
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise unreadable(f"not JSON at character {error.pos}") from None
        if data.count(b"[") + data.count(b"{") > DEEPEST and _deeper_than(DEEPEST, document):
            raise unreadable(f"more than {DEEPEST} levels deep")
        if _NUL_MARK in data and _holds_nul(document):
            raise unreadable("a text with the character U+0000")
        return document

    return read


def _deeper_than(levels: int, document: object) -> bool:
    level = [document]
    for _ in range(levels + 1):
        level = [
            below
            for item in level
            if isinstance(item, dict | list)
            for below in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True


def _holds_nul(document: object) -> bool:
    """Walks without recursion: a document may be deep."""
    waiting = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if "\x00" in item:
                return True
        elif isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            waiting += item
    return False


def form_step(part: str, charset: str) -> Step:
    """The text of one form part; a body that is no form is passed on as it is (stored samples are inner JSON)."""

    def read(body: bytes, message: Message) -> bytes | str:
        kind = media_type(message)
        if kind not in FORM_TYPES:
            return body
        values = _multipart(body, message, part) if kind == FORM_TYPES[0] else _urlencoded(body, part, charset)
        if len(values) != 1:
            raise unreadable(f"exactly one form part '{part}' is expected")
        return values[0]

    return read


def _multipart(body: bytes, message: Message, part: str) -> list[bytes]:
    boundary = parse_options_header(message.content_type)[1].get("boundary", "")
    values: list[bytes] = []
    try:
        with PushMultipartParser(boundary, content_length=len(body), max_segment_count=_MAX_FIELDS) as parser:
            name, chunks = "", list[bytes]()
            for event in [*parser.parse(body), *parser.parse(b"")]:
                if event is None:
                    values += [b"".join(chunks)] if name == part else []
                elif isinstance(event, bytes | bytearray):
                    chunks.append(bytes(event))
                else:
                    name, chunks = event.name, []
    except (MultipartError, ValueError, LookupError):
        raise unreadable("not multipart/form-data") from None
    return values


def _urlencoded(body: bytes, part: str, charset: str) -> list[str]:
    try:
        fields = parse_qsl(body.decode("ascii"), True, encoding=charset, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise unreadable("not a form in the declared charset") from None
    return [value for name, value in fields if name == part]


def xml_step(charset: str, lists: Collection[str] = (), *, or_text: bool = False) -> Step:
    """Bytes or text to `{root name: content}`; elements named in `lists` are lists even when there is one.

    With `or_text`, what does not begin with `<` becomes `{"text": ...}`: some answers are either.
    """
    repeated = frozenset(lists)

    def read(body: bytes | str, _message: Message) -> dict[str, Any]:
        text = decoded(body, charset)
        if or_text and not text.lstrip("\ufeff \t\r\n").startswith("<"):
            return {"text": text.strip()}
        root = _tree(text)
        return {etree.QName(root).localname: _content(root, repeated)}

    return read


def soap_step(element: str, charset: str) -> Step:
    """A SOAP 1.1 envelope to the children of `element` in its body; a fault to `{"Fault": {...}}`."""

    def read(body: bytes | str, _message: Message) -> dict[str, Any]:
        root = _tree(decoded(body, charset))
        inner = root.find(f"{{{SOAP_11}}}Body")
        child = next(iter(inner.iterchildren("*")), None) if inner is not None else None
        if root.tag != f"{{{SOAP_11}}}Envelope" or child is None:
            raise unreadable("not a SOAP 1.1 envelope with a body")
        name, content = etree.QName(child).localname, _content(child, frozenset())
        if name == "Fault":
            return {"Fault": content}
        if name != element:
            raise Unacceptable(f"the operation {element} is expected", why=Why.UNKNOWN_MESSAGE)
        return content if isinstance(content, dict) else {}

    return read


def pick_step(path: Callable[[Any], Any], name: str) -> Step:
    """One value inside the document; a SOAP fault is passed on."""

    def read(document: Any, _message: Message) -> Any:  # noqa: ANN401
        if isinstance(document, dict) and "Fault" in document:
            return document
        value = path(document)
        if value is None:
            raise unreadable(f"{name} is missing")
        return value

    return read


def _tree(text: str) -> etree._Element:
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
    return root


def _content(element: etree._Element, repeated: frozenset[str], level: int = 1) -> Any:  # noqa: ANN401
    """Text of a leaf; otherwise children by name, a name met twice (or declared) as a list. Attributes as `@name`."""
    if not len(element) and not element.attrib:
        text = element.text or ""
        return text if text.strip() else ""
    if level > DEEPEST:
        raise unreadable(f"more than {DEEPEST} levels deep")
    content: dict[str, Any] = {
        f"@{etree.QName(name).localname}": value for name, value in element.attrib.items() if not _is_type(name)
    }
    for child in element:
        name, value = etree.QName(child).localname, _content(child, repeated, level + 1)
        if name in repeated:
            content.setdefault(name, []).append(value)
        elif name not in content:
            content[name] = value
        elif isinstance(content[name], list):
            content[name].append(value)
        else:
            content[name] = [content[name], value]
    return content or (element.text or "")


def _is_type(name: str | bytes) -> bool:
    return str(name).startswith("{http://www.w3.org/2001/XMLSchema-instance}")


def json_body(document: object, charset: str) -> bytes:
    """A document as JSON in the declared charset."""
    body = orjson.dumps(document)
    return body if charset == "utf-8" else body.decode().encode(charset)


def multipart_body(part: str, text: bytes, boundary: str, charset: str) -> tuple[bytes, str]:
    """(body, content type) of a form with the one text part."""
    while boundary.encode() in text:
        boundary += "0"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{part}"\r\n'
        f"Content-Type: text/plain; charset={charset.upper()}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    )
    return head.encode() + text + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def urlencoded_body(part: str, text: bytes) -> bytes:
    """A urlencoded form with the one field."""
    return urlencode({part: text}).encode()


def xml_text(root: str, tree: object, declaration: str) -> str:
    """A tree of mappings, lists and texts as an XML text, with the declaration the other side wants to see."""
    head = f'<?xml version="1.0" encoding="{declaration}"?>' if declaration else ""
    return head + etree.tostring(_element(root, tree), encoding="unicode")


def _element(name: str, tree: object, namespace: str = "") -> etree._Element:
    prefixes: Any = {None: namespace}  # the stubs do not know the default namespace
    element = etree.Element(f"{{{namespace}}}{name}", nsmap=prefixes) if namespace else etree.Element(name)
    if isinstance(tree, Mapping):
        for child, below in tree.items():
            for one in below if isinstance(below, list) else [below]:
                element.append(_element(child, one, namespace))
    else:
        element.text = legal("" if tree is None else str(tree))
    return element


def soap_body(namespace: str, element: str, tree: object) -> bytes:
    """A SOAP 1.1 envelope around one element of `namespace`."""
    envelope = etree.Element(f"{{{SOAP_11}}}Envelope", nsmap={"soap": SOAP_11})
    body = etree.SubElement(envelope, f"{{{SOAP_11}}}Body")
    body.append(_element(element, tree, namespace))
    return etree.tostring(envelope, xml_declaration=True, encoding="utf-8")


def soap_fault(code: str, text: str) -> bytes:
    """A SOAP 1.1 fault."""
    envelope = etree.Element(f"{{{SOAP_11}}}Envelope", nsmap={"soap": SOAP_11})
    fault = etree.SubElement(etree.SubElement(envelope, f"{{{SOAP_11}}}Body"), f"{{{SOAP_11}}}Fault")
    etree.SubElement(fault, "faultcode").text = f"soap:{code}"
    etree.SubElement(fault, "faultstring").text = legal(text)
    return etree.tostring(envelope, xml_declaration=True, encoding="utf-8")


def legal(text: str) -> str:
    """The text without characters XML cannot hold at all (no escape exists for them)."""
    return _ILLEGAL_IN_XML.sub("", text)
