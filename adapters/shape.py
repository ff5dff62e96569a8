"""From bytes to a document, step by step: unpack, decode, take apart. Every problem is an Unacceptable (UNREADABLE).

What is JSON already (stored samples, items of a page, rows of a table) skips all steps.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import parse_qsl

from multipart import MultipartError, PushMultipartParser, parse_options_header

from adapters.charset import AUTO, known, text_of
from adapters.enclosed import Listed, compile_enclosed
from adapters.mixed import is_file, mixed_parts
from adapters.packed import MOST, from_base64, gunzipped
from adapters.path import parts_of, path_getter, with_member
from adapters.related import MEDIA, parts_of_related
from adapters.scope import Scope
from adapters.sealing import CipherKeys
from adapters.shape_declaration import (
    CsvStep,
    EnclosedStep,
    InsideStep,
    LinesStep,
    SoapStep,
    Step,
    XlsxStep,
    XmlStep,
    ZipStep,
)
from adapters.shape_json import read_json, storable, unreadable
from adapters.shape_xml import looks_like_xml, read_soap, read_xml
from adapters.sheet import MOST_CELLS, csv_rows, xlsx_rows, zip_members
from adapters.table_rows import check_count, filled_down
from adapters.writing import written_file
from adapters.xml_schema import read_schema
from adapters.yaml_file import Where
from canonical.errors import Misconfigured, Unacceptable, Why
from canonical.message import Message

Shape = Callable[[Message], Any]
"""A message's bytes to its document. Raises Unacceptable (why UNREADABLE)."""
_Step = Callable[[Any, Message], Any]
"""One step of reading: what the former step gave (first: the body's bytes), and the message around it."""

FORM_TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")
_JSON_TYPES = ("application/json", "text/json")
_MAX_FIELDS = 256
_JSON_BEGINS = (b"{", b"[")


class Members(list[Any]):
    """Several things out of one archive: the steps that follow are done to each, and lists become one list."""

    archive: bytes = b""
    """The archive itself, where its files are named by its documents."""


def compile_shape(steps: Sequence[Step], scope: Scope, where: Where, charset: str) -> Shape:
    """The declared steps as one function."""
    compiled = [_step(step, scope, (*where, index), charset) for index, step in enumerate(steps)]
    first = steps[0].given[0] if steps else ""
    _after_an_archive(steps, scope, where)
    packed = any(step.packed for step in steps) or (first == "json" and len(steps) > 1)

    def shape(message: Message) -> Any:  # noqa: ANN401
        if not packed and _is_json(message):
            return read_json(_recoded(message.body, charset))
        document: Any = message.body
        for step in compiled:
            document = _done(step, document, message)
        return list(document) if isinstance(document, Listed) else document

    return shape


def _after_an_archive(steps: Sequence[Step], scope: Scope, where: Where) -> None:
    """Files can be named by what was read out of their archive, and by nothing else."""
    names = [step.given[0] for step in steps]
    if "enclosed" in names and names[0] != "zip":
        scope.wrong(where, "enclosed takes files out of an archive: the shape begins with zip")
    elif "enclosed" in names and names[-1] != "enclosed":
        scope.wrong(where, "enclosed is the last step: zip, then what reads its members, then enclosed")


def json_shape(charset: str) -> Shape:
    """The shape of what is JSON for certain, such as items of a page."""
    return lambda message: read_json(_recoded(message.body, charset))


def media_type(message: Message) -> str:
    """The media type without its options, lower case."""
    return message.content_type.partition(";")[0].strip().lower()


def decoded(body: bytes | str, charset: str) -> str:
    """Text in the declared charset; `auto`: UTF-8, else GB18030. Broken bytes and U+0000 are errors, never replaced."""
    return body if isinstance(body, str) else text_of(body, charset)


def _recoded(body: bytes | str, charset: str) -> bytes:
    if isinstance(body, bytes) and charset == "utf-8":
        return body.removeprefix(b"\xef\xbb\xbf")
    return decoded(body, charset).removeprefix("\ufeff").encode()


def _is_json(message: Message) -> bool:
    if message.content_type == "application/json":  # what nearly all of them say
        return True
    kind = media_type(message)
    return kind in _JSON_TYPES or (not kind and message.body[:64].lstrip()[:1] in _JSON_BEGINS)


def _done(step: _Step, document: Any, message: Message) -> Any:  # noqa: ANN401
    if not isinstance(document, Members):
        return step(document, message)
    parts, share = [], 0.0
    for one in document:
        parts.append(part := step(one, message))
        share += _share(part)
        if share > 1:
            raise Unacceptable("the members of the archive unpack to more than one may hold", why=Why.TOO_LARGE)
    if all(isinstance(part, Members) for part in parts):  # archives inside an archive
        return Members(member for part in parts for member in part)
    if all(isinstance(part, list) for part in parts):
        return _listed((item for part in parts for item in part), document)
    documents = all(isinstance(part, dict) for part in parts)
    return _listed(parts, document) if documents else _members(parts, document.archive)


def _listed(items: Iterable[Any], members: Members) -> list[Any]:
    if not members.archive:
        return list(items)
    listed = Listed(items)
    listed.archive = members.archive
    return listed


def _members(items: Iterable[Any], archive: bytes) -> Members:
    members = Members(items)
    members.archive = archive
    return members


def _share(part: Any) -> float:  # noqa: ANN401
    """How much of what a whole archive may become stands in this part: each alone may be small, a thousand are not."""
    if isinstance(part, bytes):
        return len(part) / MOST
    if isinstance(part, list):
        cells = sum(len(row) for row in part if isinstance(row, dict))
        return sum(map(_share, part)) if isinstance(part, Members) else cells / MOST_CELLS
    return 0.0


def _step(step: Step, scope: Scope, where: Where, charset: str) -> _Step:
    name, value = step.given
    return _COMPILERS[name](value, scope, where, charset)


def _json(_: object, _scope: Scope, _where: Where, charset: str) -> _Step:
    return lambda body, _message: read_json(_recoded(body, charset))


def _text(_: object, _scope: Scope, _where: Where, charset: str) -> _Step:
    return lambda body, _message: {"text": decoded(body, charset)}


def _inside(declared: InsideStep, scope: Scope, where: Where, charset: str) -> _Step:
    """Unpack one member where it stands; what is not there, or empty, stays so."""
    steps = [
        _step(step, scope, (*where, "inside", "shape", number), charset) for number, step in enumerate(declared.shape)
    ]
    opened = steps
    if charset != "utf-8":  # what stands in a document is text already, whatever bytes it came as
        opened = [_step(declared.shape[0], scope, (*where, "inside", "shape", 0), "utf-8"), *steps[1:]]
    get, parts = path_getter(declared.path), parts_of(declared.path)
    put = [*parts[:-1], declared.as_ or parts[-1]]

    def read(document: Any, message: Message) -> Any:  # noqa: ANN401
        value = get(document)
        if value is None or value == "":
            return document
        if not isinstance(value, str | bytes):
            raise unreadable(f"{declared.path}: a text is expected, to be unpacked")
        done, value = (opened, value.encode()) if isinstance(value, str) else (steps, value)
        for step in done:
            value = _done(step, value, message)
        return with_member(document, put, list(value) if isinstance(value, Listed) else value)

    return read


def _hex(_: object, _scope: Scope, _where: Where, _charset: str) -> _Step:
    return lambda body, _message: {"hex": (body if isinstance(body, bytes) else body.encode()).hex()}


def _xml(declared: XmlStep, scope: Scope, where: Where, charset: str) -> _Step:
    check = read_schema(declared.xsd, scope, (*where, "xml", "xsd")) if declared.xsd else None

    def read(body: bytes | str, message: Message) -> dict[str, Any]:
        text, files = _text_and_files(body, message, charset)
        if declared.or_text and not looks_like_xml(text):
            return {"text": text.strip()}
        return read_xml(text, declared.lists, check, files)

    return read


def _soap(declared: SoapStep, _scope: Scope, _where: Where, charset: str) -> _Step:
    def read(body: bytes | str, message: Message) -> dict[str, Any]:
        text, files = _text_and_files(body, message, charset)
        return read_soap(text, declared.element, declared.lists, version=declared.version, files=files)

    return read


def _text_and_files(
    body: bytes | str, message: Message, charset: str
) -> tuple[str, dict[str, bytes] | None]:  # fmt: skip
    """The XML as text, and the parts it points to, where it came as multipart/related."""
    if isinstance(body, str) or body is not message.body or media_type(message) != MEDIA:
        return decoded(body, charset), None
    root, files = parts_of_related(body, message.content_type)
    return decoded(root, charset), files


def _pick(path: str, _scope: Scope, _where: Where, _charset: str) -> _Step:
    get = path_getter(path)

    def read(document: Any, _message: Message) -> Any:  # noqa: ANN401
        if isinstance(document, dict) and "Fault" in document:
            return document
        value = get(document)
        if value is None:
            raise unreadable(f"{path} is missing")
        return value

    return read


def _form(part: str, _scope: Scope, _where: Where, charset: str) -> _Step:
    """The text of one form part; a body that is no form is passed on as it is."""

    def read(body: bytes, message: Message) -> bytes | str:
        if media_type(message) not in FORM_TYPES:
            return body
        values = [value for name, value in _form_fields(body, message, charset) if name == part]
        if len(values) != 1 or not isinstance(values[0], bytes | str):
            raise unreadable(f"exactly one form part '{part}' is expected")
        return values[0]

    return read


def _fields(_: object, _scope: Scope, _where: Where, charset: str) -> _Step:
    """All fields of a form as a document; a field met twice is a list, a file {name, media, content: base64}."""

    def read(body: bytes, message: Message) -> dict[str, Any]:
        if media_type(message) not in FORM_TYPES and media_type(message).startswith("multipart/"):
            return {"parts": mixed_parts(body, message.content_type, charset)}
        return form_document(body, message, charset)

    return read


def form_document(body: bytes, message: Message, charset: str) -> dict[str, Any]:
    """The fields of a form, as `fields` gives them. Raises Unacceptable."""
    document: dict[str, Any] = {}
    for name, given in _form_fields(body, message, charset):
        value = decoded(given, charset) if isinstance(given, bytes) else given
        if name not in document:
            document[name] = value
        elif isinstance(document[name], list):
            document[name].append(value)
        else:
            document[name] = [document[name], value]
    return document


def _query(_: object, _scope: Scope, _where: Where, charset: str) -> _Step:
    return lambda _body, message: query_of(message.path, charset)


def query_of(path: str, charset: str = "utf-8") -> dict[str, Any]:
    """The query of a path as an object; a name met twice is a list. Raises Unacceptable."""
    document: dict[str, Any] = {}
    for name, value in _urlencoded(path.partition("?")[2], charset):
        known = document.get(name)
        document[name] = value if known is None else [*(known if isinstance(known, list) else [known]), value]
    return document


def _form_fields(body: bytes, message: Message, charset: str) -> list[tuple[str, Any]]:
    kind = media_type(message)
    if kind == FORM_TYPES[0]:
        return _multipart(body, message, charset)
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError:
        raise unreadable("not a form") from None
    return _urlencoded(text, charset)


def _multipart(body: bytes, message: Message, charset: str) -> list[tuple[str, Any]]:
    if charset == AUTO:
        try:
            return _multipart(body, message, "utf-8")
        except Unacceptable:
            return _multipart(body, message, "gb18030")
    boundary = parse_options_header(message.content_type)[1].get("boundary", "")
    values: list[tuple[str, Any]] = []
    try:
        with PushMultipartParser(
            boundary, content_length=len(body), max_segment_count=_MAX_FIELDS, header_charset=charset
        ) as parser:
            segment: Any = None
            chunks: list[bytes] = []
            for event in [*parser.parse(body), *parser.parse(b"")]:
                if event is None:
                    values.append((segment.name, _part(segment, b"".join(chunks))))
                elif isinstance(event, bytes | bytearray):
                    chunks.append(bytes(event))
                else:
                    segment, chunks = event, []
                    storable(f"{segment.name}{segment.filename}")
    except (MultipartError, ValueError, LookupError):
        raise unreadable(f"not multipart/form-data with names in {charset}") from None
    return values


def _part(segment: Any, content: bytes) -> Any:  # noqa: ANN401
    if not segment.filename and not is_file(segment.content_type):
        return content
    return written_file(segment.filename or "", segment.content_type or "", content)


def _urlencoded(text: str, charset: str) -> list[tuple[str, Any]]:
    if charset == AUTO:
        try:
            return _urlencoded(text, "utf-8")
        except Unacceptable:
            return _urlencoded(text, "gb18030")
    try:
        pairs = parse_qsl(text, True, encoding=charset, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise unreadable("not a form in the declared charset") from None
    return [(storable(name), storable(value)) for name, value in pairs]


def _base64(_: object, _scope: Scope, _where: Where, _charset: str) -> _Step:
    def read(body: bytes | str, _message: Message) -> bytes:
        try:
            return from_base64(body)
        except ValueError:
            raise unreadable("not base64") from None

    return read


def _gunzip(_: object, _scope: Scope, _where: Where, _charset: str) -> _Step:
    def read(body: bytes, _message: Message) -> bytes:
        try:
            return gunzipped(body)
        except ValueError as error:
            raise unreadable(str(error)) from None

    return read


def _enclosed(declared: EnclosedStep, _scope: Scope, _where: Where, _charset: str) -> _Step:
    read = compile_enclosed(declared)
    return lambda document, _message: read(document)


def _zip(declared: ZipStep, _scope: Scope, _where: Where, _charset: str) -> _Step:
    def read(body: bytes, _message: Message) -> Members:
        members = zip_members(body, match=declared.match, max_bytes=MOST)
        if not members:
            raise unreadable(f"the archive holds nothing that matches {declared.match}")
        return _members((content for _, content in members), body)

    return read


def _csv(declared: CsvStep, scope: Scope, where: Where, charset: str) -> _Step:
    header = declared.header or None
    if declared.charset and not known(declared.charset):
        scope.wrong((*where, "csv", "charset"), f"no charset '{declared.charset}'; write utf-8, gb18030 or auto")

    def read(body: bytes, _message: Message) -> list[dict[str, str]]:
        rows = csv_rows(
            body, charset=declared.charset or charset, delimiter=declared.delimiter, header=header,
            header_row=declared.header_row, trailer=declared.trailer, count=declared.count,
        )  # fmt: skip
        return filled_down(rows, declared.fill_down)

    return read


def _xlsx(declared: XlsxStep, _scope: Scope, _where: Where, _charset: str) -> _Step:
    def read(body: bytes, _message: Message) -> list[dict[str, str]]:
        rows = xlsx_rows(
            body, sheet=declared.sheet, header_row=declared.header_row, trailer=declared.trailer, count=declared.count
        )  # fmt: skip
        return filled_down(rows, declared.fill_down)

    return read


def _ndjson(_: object, _scope: Scope, _where: Where, charset: str) -> _Step:
    def read(body: bytes | str, _message: Message) -> list[Any]:
        lines = _recoded(body, charset).splitlines()
        return [_line(number, line) for number, line in enumerate(lines, 1) if line.strip()]

    return read


def _line(number: int, line: bytes) -> Any:  # noqa: ANN401
    try:
        return read_json(line)
    except Unacceptable as error:
        raise unreadable(f"line {number}: {error}") from None


def _lines(declared: LinesStep, scope: Scope, where: Where, charset: str) -> _Step:
    """Lines of a text protocol: one object a line, by the named groups of a regular expression."""
    try:
        expression = re.compile(declared.pattern)
    except re.error as error:
        scope.wrong(where, f"lines: not a regular expression: {error}")
        expression = re.compile("")
    if not expression.groupindex:
        scope.wrong(where, "lines: named groups (?P<name>...) are expected")

    def read(body: bytes | str, _message: Message) -> list[dict[str, Any]]:
        rows = []
        told = [(at, line) for at, line in enumerate(decoded(body, charset).splitlines(), 1) if line.strip()]
        told = told[declared.header :]
        whole = max(len(told) - declared.trailer, 0)
        for number, line in told[:whole]:
            found = expression.fullmatch(line[:65_536])
            if found is None:
                raise unreadable(f"line {number} is not as declared")
            rows.append(found.groupdict())
        check_count(",".join(line for _, line in told[whole:]), declared.count, len(rows))
        return rows

    return read


def _decrypt(declared: CipherKeys, scope: Scope, where: Where, _charset: str) -> _Step:
    from adapters.rule_step import sealer_of

    made = [name for name in ("key", "iv") if isinstance(getattr(declared, name), dict)]
    for name in made:
        scope.wrong((*where, "decrypt", name), "here it is a secret's; a rule can decrypt a member with another")
    if made:
        return lambda body, _message: body
    sealer = sealer_of(declared, scope, (*where, "decrypt"))

    def read(body: bytes | str, _message: Message) -> bytes:
        try:
            cipher, vector = sealer(None)
            return cipher.opened(body, vector)
        except Misconfigured as error:
            raise unreadable(str(error)) from None

    return read


_COMPILERS: dict[str, Callable[[Any, Scope, Where, str], _Step]] = {
    "json": _json, "text": _text, "xml": _xml, "soap": _soap, "pick": _pick, "form": _form, "fields": _fields,
    "query": _query, "base64": _base64, "gunzip": _gunzip, "zip": _zip, "csv": _csv, "xlsx": _xlsx, "lines": _lines,
    "decrypt": _decrypt, "enclosed": _enclosed, "hex": _hex, "inside": _inside, "ndjson": _ndjson,
}  # fmt: skip
