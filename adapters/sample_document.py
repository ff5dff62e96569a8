"""A sample of an unknown platform, opened: which shape reads it, where its records lie, and every value by its path."""

import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lxml import etree

from adapters.field_names import meaning
from adapters.path import parts_of, with_member
from adapters.scaffold_packed import Packing, members, packing, sealed
from adapters.shape import query_of
from adapters.shape_json import read_json
from adapters.shape_xml import NAMESPACES, read_soap, read_xml
from adapters.sheet import csv_rows, xlsx_rows
from canonical.errors import Misconfigured

MOST_RECORDS = 500
_DEEPEST = 4
_CHARSETS = ("utf-8", "gb18030")
_DELIMITERS = ",;\t|"
_XML = re.compile(r"\s*<[A-Za-z?]")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value's place in a record; `inside` leads on in a text that holds JSON or XML itself."""

    path: str
    packed: str = ""
    """Steps of `parse`, such as `json` or `base64, gzip, json`, when the value at `path` is a text that is packed."""
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
    operation: tuple[str, str] = ("", "")
    """SOAP: namespace and name of the body's element."""
    headers: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, Any] = field(default_factory=dict)
    """Other fields of its form."""
    original: Any = None
    """The whole, before anything in it was unpacked."""
    opened: Mapping[str, str] = field(default_factory=dict)
    """Path of what was unpacked where it stands, and the steps."""
    sealed: tuple[str, ...] = ()
    """Paths of texts that look packed and cannot be opened."""


def open_sample(name: str, data: bytes) -> Opened:
    """The sample in a file named so. Raises Misconfigured, Unacceptable (what it claims to be cannot be read)."""
    ending = name.rpartition(".")[2].lower()
    if ending not in _OPENERS:
        raise Misconfigured(f"{name}: {', '.join(sorted(_OPENERS))} or wsdl is expected")
    opened = _opened_inside(_OPENERS[ending](data))
    return _with_records(opened)


def _opened_inside(opened: Opened) -> Opened:
    """What is packed in members outside lists, unpacked where it stands; the steps go into the shape."""
    found: dict[str, str] = {}
    whole = opened.whole
    waiting = list(_wrapped_members(whole))
    while waiting:
        path, packed = waiting.pop(0)
        document = packed.document
        last = packed.steps[-1]
        if last == "xml" and (names := _repeated(document)):
            document, last = read_xml(packed.text, names), f"xml: {{lists: [{', '.join(names)}]}}"
        steps = [_SHAPE_STEPS.get(step, step) for step in packed.steps[:-1]]
        found[path] = ", ".join([*steps, last])
        whole = with_member(whole, parts_of(path), document)
        waiting += _wrapped_members(document, path)
    shape = opened.shape
    if found:
        inside = (f"inside: {{path: {_quoted(path)}, shape: [{steps}]}}" for path, steps in found.items())
        shape = f"{shape[:-1]}, {', '.join(inside)}]"
    closed = dict.fromkeys(path for name, path, value in members(opened.whole) if sealed(name, value))
    return replace(
        opened, whole=whole, shape=shape, opened=found, original=opened.whole, sealed=tuple(closed)
    )  # fmt: skip


_SHAPE_STEPS = {"gzip": "gunzip"}
"""Where a step of a shape is called otherwise than in a rule."""


def _opens_where_it_stands(found: Packing) -> bool:
    """True when a shape has the steps, and no rule sees through it as it is."""
    if "hex" in found.steps or found.steps[-1] == "text":
        return False
    return found.wrapped or any(_wrapped_members(found.document))


def _quoted(path: str) -> str:
    return (
        path
        if re.fullmatch(r"[A-Za-z\u4e00-\u9fff][\w.\u4e00-\u9fff]*", path)
        else json.dumps(path, ensure_ascii=False)
    )


def _wrapped_members(value: Any, path: str = "") -> Iterator[tuple[str, Packing]]:  # noqa: ANN401
    """Members outside lists that hold a document one cannot see through, or a text document that holds such."""
    for name, below in value.items() if isinstance(value, dict) else ():
        here = f"{path}.{name}".strip(".")
        if not _addressable(name):
            continue
        if isinstance(below, dict):
            yield from _wrapped_members(below, here)
        elif (found := packing(below)) is not None and _opens_where_it_stands(found):
            yield here, found


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
        operation = _operation(data, namespace)
        if element := operation[1]:
            lists = _repeated(read_soap(text, element, version=version))
            listed = f", lists: [{', '.join(lists)}]" if lists else ""
            shape = f'[soap: {{element: {element}, version: "{version}"{listed}}}]'
            return Opened(
                "http", shape, charset, read_soap(text, element, lists, version=version), operation=operation
            )  # fmt: skip
    lists = _repeated(read_xml(text))
    shape = f"[xml: {{lists: [{', '.join(lists)}]}}]" if lists else "[xml]"
    return Opened("http", shape, charset, read_xml(text, lists))


def _operation(data: bytes, namespace: str) -> tuple[str, str]:
    try:
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, recover=True))
    except etree.XMLSyntaxError:
        return "", ""
    body = root.find(f"{{{namespace}}}Body") if root is not None else None
    first = next(iter(body.iterchildren("*")), None) if body is not None else None
    name = etree.QName(first) if first is not None else None
    return (name.namespace or "", name.localname) if name else ("", "")


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
        part = next(
            (name for name, value in fields.items() if (found := packing(value)) and found.steps == ("json",)), ""
        )
        if part:
            whole = read_json(fields[part].encode())
            beside = {name: value for name, value in fields.items() if name != part}
            return Opened("http", f"[form: {part}, json]", "utf-8", whole, headers=headers, beside=beside)
        return Opened("http", "[fields]", "utf-8", fields, headers=headers)
    if kind == "multipart/form-data":
        return _multipart(data, body, headers)
    opened = _xml(body) if "xml" in kind or _XML.match(body[:200].decode("latin-1")) else _json(body)
    return replace(opened, headers=headers)


def _multipart(data: bytes, body: bytes, headers: Mapping[str, str]) -> Opened:
    """Parts by name; a part that holds JSON is the message."""
    names = re.findall(rb'name="([^"]+)"', data)
    parts = re.split(rb"\r?\n\r?\n", body)
    texts = {
        name.decode("utf-8", "replace"): content.split(b"\r\n--")[0].split(b"\n--")[0].strip()
        for name, content in zip(names, parts[1:], strict=False)
    }
    for part, text in texts.items():
        if text[:1] in b"{[" and text:
            beside = {name: one.decode("utf-8", "replace") for name, one in texts.items() if name != part}
            shape = f"[form: {part}, json]"
            return Opened("http", shape, "utf-8", read_json(text), headers=headers, beside=beside)
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
    return replace(
        opened, document=document, items=items, records=tuple(records[:MOST_RECORDS]),
        values={leaf: tuple(given) for leaf, given in values.items()},
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
        packed = packing(value)
        if packed is None:
            continue
        steps = ", ".join(packed.steps)
        if packed.steps[-1] == "text":
            yield Leaf(here, steps), packed.text
        elif isinstance(inner := packed.document, dict):
            for leaf, below in _leaves(inner, "", depth + 1):
                if not leaf.packed:
                    yield Leaf(here, steps, leaf.path), below


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
