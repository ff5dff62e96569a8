"""A sample of an unknown platform, opened: which shape reads it, where its records lie, and every value by its path."""

import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from adapters.field_names import meaning
from adapters.shape import query_of
from adapters.shape_json import read_json
from adapters.shape_xml import NAMESPACES, read_soap, read_xml
from adapters.sheet import csv_rows, xlsx_rows
from canonical.errors import Misconfigured, Unacceptable

MOST_RECORDS = 500
_DEEPEST = 4
_CHARSETS = ("utf-8", "gb18030")
_DELIMITERS = ",;\t|"
_JSON, _XML = re.compile(r"\s*[{\[]"), re.compile(r"\s*<[A-Za-z?]")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value's place in a record; `inside` leads on in a text that holds JSON or XML itself."""

    path: str
    packed: str = ""
    """`json` or `xml` when the value at `path` is a text with a document in it."""
    inside: str = ""

    @property
    def name(self) -> str:
        """Its last name."""
        return (self.inside or self.path).rpartition(".")[2]

    @property
    def depth(self) -> int:
        """How many names lead to it."""
        return self.path.count(".") + (self.inside.count(".") + 1 if self.inside else 0)


@dataclass(frozen=True, slots=True)
class Opened:
    """A sample as documents."""

    kind: str
    """`http` (a push) or `files`."""
    shape: str
    """The steps, as YAML in one line."""
    charset: str
    whole: Any
    document: str = "."
    items: tuple[str, ...] = ()
    records: tuple[Mapping[str, Any], ...] = ()
    values: Mapping[Leaf, tuple[Any, ...]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def open_sample(name: str, data: bytes) -> Opened:
    """The sample in a file named so. Raises Misconfigured, Unacceptable (what it claims to be cannot be read)."""
    ending = name.rpartition(".")[2].lower()
    if ending not in _OPENERS:
        raise Misconfigured(f"{name}: {', '.join(sorted(_OPENERS))} or wsdl is expected")
    opened = _OPENERS[ending](data)
    return _with_records(opened)


def text_of(data: bytes) -> tuple[str, str]:
    """Text and charset: UTF-8, else GB18030. Raises Misconfigured."""
    for charset in _CHARSETS:
        try:
            return data.decode("utf-8-sig" if charset == "utf-8" else charset), charset
        except UnicodeDecodeError:
            continue
    raise Misconfigured("the sample is neither UTF-8 nor GB18030 text")


def _json(data: bytes) -> Opened:
    text, charset = text_of(data)
    return Opened("http", "[json]", charset, read_json(text.encode()))


def _xml(data: bytes) -> Opened:
    text, charset = text_of(data)
    for version, namespace in NAMESPACES.items():
        element = _operation(data, namespace)
        if element:
            lists = _repeated(read_soap(text, element, version=version))
            listed = f", lists: [{', '.join(lists)}]" if lists else ""
            shape = f'[soap: {{element: {element}, version: "{version}"{listed}}}]'
            return Opened("http", shape, charset, read_soap(text, element, lists, version=version))
    lists = _repeated(read_xml(text))
    shape = f"[xml: {{lists: [{', '.join(lists)}]}}]" if lists else "[xml]"
    return Opened("http", shape, charset, read_xml(text, lists))


def _operation(data: bytes, namespace: str) -> str:
    try:
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, recover=True))
    except etree.XMLSyntaxError:
        return ""
    body = root.find(f"{{{namespace}}}Body") if root is not None else None
    first = next(iter(body.iterchildren("*")), None) if body is not None else None
    return etree.QName(first).localname if first is not None else ""


def _repeated(document: Any) -> list[str]:  # noqa: ANN401
    """Elements that came more than once in one place: they are lists even when there is one."""
    found: dict[str, None] = {}
    waiting = [("", document)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            found[name] = None
            waiting += [("", one) for one in value]
    return list(found)


def _csv(data: bytes) -> Opened:
    text, charset = text_of(data)
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(_DELIMITERS, key=first.count)
    rows = csv_rows(data, charset=charset, delimiter=delimiter)
    shape = f"[csv: {{delimiter: {json.dumps(delimiter)}, charset: {charset}}}]"
    return Opened("files", shape, charset, rows)


def _xlsx(data: bytes) -> Opened:
    return Opened("files", "[xlsx]", "utf-8", xlsx_rows(data))


def _http(data: bytes) -> Opened:
    """A stored request: its own content type says how the body reads."""
    from adapters.samples import split_http

    headers, body = split_http(data)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        fields = query_of("?" + body.decode("ascii", "replace").strip())
        part = next((name for name, value in fields.items() if _is_packed(value) == "json"), "")
        if part:
            whole = read_json(fields[part].encode())
            return Opened("http", f"[form: {part}, json]", "utf-8", whole, headers=headers)
        return Opened("http", "[fields]", "utf-8", fields, headers=headers)
    if kind == "multipart/form-data":
        return _multipart(data, body, headers)
    opened = _xml(body) if "xml" in kind or _XML.match(body[:200].decode("latin-1")) else _json(body)
    return Opened("http", opened.shape, opened.charset, opened.whole, headers=headers)


def _multipart(data: bytes, body: bytes, headers: Mapping[str, str]) -> Opened:
    """Parts by name; a part that holds JSON is the message."""
    names = re.findall(rb'name="([^"]+)"', data)
    parts = re.split(rb"\r?\n\r?\n", body)
    for name, content in zip(names, parts[1:], strict=False):
        text = content.split(b"\r\n--")[0].split(b"\n--")[0].strip()
        if text[:1] in b"{[" and text:
            part = name.decode("utf-8", "replace")
            return Opened("http", f"[form: {part}, json]", "utf-8", read_json(text), headers=headers)
    raise Misconfigured("none of the form's parts holds JSON: begin with that part as a .json file")


_OPENERS = {"json": _json, "xml": _xml, "csv": _csv, "xlsx": _xlsx, "http": _http}


# Where the records lie


def _with_records(opened: Opened) -> Opened:
    """The place whose values mean most, by their names."""
    places = [place for place in _places(opened.whole) if any(place[2])]
    if not places:
        raise Misconfigured("the sample holds no object with members: nothing to begin with")
    document, items, records = max(places, key=lambda place: (_worth(place[2]), -place[0].count(".")))
    values: dict[Leaf, list[Any]] = {}
    for record in records[:MOST_RECORDS]:
        for leaf, value in _leaves(record):
            values.setdefault(leaf, []).append(value)
    return Opened(
        opened.kind, opened.shape, opened.charset, opened.whole, document, items, tuple(records[:MOST_RECORDS]),
        {leaf: tuple(given) for leaf, given in values.items()}, opened.headers,
    )  # fmt: skip


def _places(whole: Any) -> Iterator[tuple[str, tuple[str, ...], list[Any]]]:  # noqa: ANN401
    """(document, items, records) of every object, and of every list of objects, outside deeper lists."""
    waiting: list[tuple[str, Any]] = [(".", whole)]
    while waiting:
        path, value = waiting.pop(0)
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            parent, _, last = path.rpartition(".")
            yield (".", (".",), value) if path == "." else (parent or ".", (last,), value)
        if isinstance(value, dict):
            yield path, (), [value]
            below = ((name, one) for name, one in value.items() if _addressable(name))
            waiting += [(name if path == "." else f"{path}.{name}", one) for name, one in below]


def _addressable(name: str) -> bool:
    return bool(name) and "." not in name and not name.startswith("$") and not name.isdigit()


def _worth(records: list[Any]) -> float:
    found: dict[str, float] = {}
    for leaf, _ in _leaves(records[0]):
        meant = meaning(leaf.name)
        if meant:
            found[meant[0]] = max(found.get(meant[0], 0), 1.0 if not leaf.depth else 0.5)
    return sum(found.values())


def _leaves(record: Mapping[str, Any], path: str = "", depth: int = 0) -> Iterator[tuple[Leaf, Any]]:
    """Every single value and list, through objects and through texts that hold a document."""
    for name, value in record.items():
        if not _addressable(name) or depth > _DEEPEST:
            continue
        here = f"{path}.{name}".strip(".")
        if isinstance(value, dict):
            yield from _leaves(value, here, depth + 1)
            continue
        yield Leaf(here), value
        packed = _is_packed(value)
        inner = unpacked(value, packed) if packed else None
        if isinstance(inner, dict):
            for leaf, below in _leaves(inner, "", depth + 1):
                if not leaf.packed:
                    yield Leaf(here, packed, leaf.path), below


def _is_packed(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return "json" if _JSON.match(value) else "xml" if _XML.match(value) else ""


def unpacked(value: str, packed: str) -> Any:  # noqa: ANN401
    """The document inside a text; None when it is none after all."""
    try:
        return read_json(value.encode()) if packed == "json" else read_xml(value)
    except Unacceptable:
        return None


def workbook_with(data: bytes, replaced: Any) -> bytes:  # noqa: ANN401 a function of text
    """The workbook with every text cell passed through `replaced`."""
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(data))
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                if isinstance(cell.value, str | int) and not isinstance(cell.value, bool):
                    new = replaced(str(cell.value))
                    if new != str(cell.value):
                        cell.value = new
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()
