"""One invented platform that uses every way of reading there is, for whoever feeds it with what nobody meant to send.

Shared by the property tests (tests/adapters/test_hostile_input.py) and the fuzzer (tests/fuzz/__main__.py).
"""

import base64
import gzip
import io
import json
import tempfile
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import adapters
from adapters import System
from adapters.cipher import encrypt
from adapters.samples import ID, NOW
from canonical.errors import Unacceptable
from canonical.message import Message
from canonical.reading import Reading

KEY = "0123456789abcdef"
SECRETS = {"key": KEY, "token": "demo-token", "user": "demo"}
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"

SHAPES: Mapping[str, tuple[str, str]] = {
    "json": ("[json]", ""),
    "xml": ("[xml: {lists: [t], or_text: true}]", "text/xml"),
    "soap": ("[soap: {element: Op, version: '1.2'}]", "application/soap+xml"),
    "related": ("[soap: Op]", 'multipart/related; boundary=b; start="<e>"'),
    "pointing": ("[soap: Op]", "text/xml"),
    "text": ("[text]", "text/plain"),
    "form": ("[form: params, json]", FORM),
    "fields": ("[fields]", FORM),
    "parts": ("[fields]", MULTIPART),
    "query": ("[query]", ""),
    "base64": ("[base64, json]", "text/plain"),
    "gunzip": ("[gunzip, json]", "application/gzip"),
    "zip": ("[zip, csv]", "application/zip"),
    "zips": ("[zip, zip, json]", "application/zip"),
    "zipped_gzip": ("[zip, gunzip, json]", "application/zip"),
    "books": ("[zip, xlsx]", "application/zip"),
    "csv": ("[csv: {delimiter: ';'}]", "text/csv"),
    "xlsx": ("[xlsx]", "application/octet-stream"),
    "lines": (r"[lines: '##(?P<a>\d{0,4})(?P<t>[^,]*),.*']", "text/plain"),
    "decrypt": ("[decrypt: {cipher: sm4-cbc, key: key, iv: key}, json]", "text/plain"),
    "hex": ("[hex]", "application/octet-stream"),
    "ndjson": ("[ndjson]", "application/x-ndjson"),
    "sheets": ("[csv: {header_row: 2, trailer: 1}]", "text/csv"),
    "mixed": ("[fields, inside: {path: parts.0.text, shape: [xml]}]", "multipart/mixed; boundary=b"),
    "inside": ("[json, inside: {path: t, shape: [base64, gunzip, json], as: u}]", "application/json"),
}
"""Door to its shape and the content type that comes with it."""

RULES: Mapping[str, str] = {
    "plain": "title: {from: t}",
    "unpacked": "title: {from: t, parse: [base64, gzip, json], pick: x.0}",
    "hex": "title: {from: t, parse: [hex, text]}",
    "inner_query": "title: {from: t, parse: [query], pick: x}",
    "inner_xml": "title: {from: t, parse: [xml], pick: x.y}",
    "matched": "title: {from: t, match: '(a+)$', cut: 3}",
    "counted": "title: {from: t, as: int}",
    "digested": "title: {of: [{from: t}, {from: $body}], digest: sm3}",
    "signed": "title: {pairs: {from: ., encode: percent}, digest: md5}",
    "listed": "title: {from: t, each: {text: '{x}'}, sort: true, join: ','}",
    "split": "title: {from: t, split: ',', join: ';'}",
    "encoded": "title: {from: t, encode: url}",
    "around": "title: {from: [$query.t, $path.1, $headers.t]}",
    "guarded": "title: {from: t, if: {t: {above: 3}}, unless: \"doc.t == 'x'\"}",
    "iso": "title: x\n  reported_at: {from: t, time: iso}",
    "epoch": "title: x\n  reported_at: {from: t, time: [epoch_ms, yyyy/M/d H:m:s]}\n"
    "  reported_on: {from: t, time: iso}",
    "due": "title: x\n  deadline: {at: {from: t, time: [yyyy-MM-dd, iso], day: end}}",
    "place": "title: x\n  coordinate: {x: {from: t.0}, y: {from: t.1}}",
    "onwards": "title: {from: t, parse: [json], pick: \"'a.b'.0\", "
    "then: {from: ., match: '([0-9]+)', then: {text: 'n{.}'}}}",
    "deciphered": "title: {from: t, decrypt: {cipher: aes-gcm, key: key, vector: before}, parse: [text]}",
    "binary": "title: {expr: \"text(binary(doc.t, 'base64', 1, 'i16be')) + text(bit(octets(doc.a, 'hex'), 1))\"}",
    "walked": "title: {expr: \"entries(doc.t).map(e, text(e.name)).join('-') + text(flatten(doc.x).size())\"}",
    "expression": "title: {expr: \"plain(text(doc.t)) + digits(doc['$body'])\"}",
}
"""Door to the report it reads from JSON."""

CHECKS: Mapping[str, str] = {
    "secret": "{secret: token, from: t}",
    "prefixed": "{secret: token, header: Authorization, prefix: 'Bearer '}",
    "basic": "{basic: {username: user, password: token}}",
    "signature": "{signature: {shown: {from: t}, of: {text: '{a}{$body}', digest: hmac-sm3, key: key}}}",
    "fresh": "{fresh: {at: {from: t, time: [iso, epoch_ms]}, seconds: 60}}",
}
"""Door to how its sender shows who it is."""

_HEAD = """title: 任意报文
edition: "1"
roles: [source]
crs: EPSG:4326
charset: auto
connector: {protocol: http}
secrets: {key: {title: 密钥}, token: {title: 口令}, user: {title: 用户}}
doors:
"""
_DOOR = """  {name}:
    shape: {shape}
    messages: [{message}]
    reply: {{format: json, rows: [{{body: {{}}}}]}}
"""
_MESSAGE = """direction: in
title: 报文
contract: any.schema.json
external_id: {{from: [a, text, x], default: "1"}}
report:
  {report}
"""


@cache
def platform() -> System:
    """All doors in one system."""
    doors = [_DOOR.format(name=name, shape=shape, message="plain") for name, (shape, _) in SHAPES.items()]
    doors += [_DOOR.format(name=f"rule_{name}", shape="[json]", message=name) for name in RULES]
    doors += [
        _DOOR.format(name=f"check_{name}", shape="[json]", message="plain") + f"    authenticate: {check}\n"
        for name, check in CHECKS.items()
    ]
    files = {f"messages/{name}.yaml": _MESSAGE.format(report=report) for name, report in RULES.items()}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (files | {"system.yaml": _HEAD + "".join(doors), "contract/any.schema.json": "{}"}).items():
            path = Path(folder) / "any" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return adapters.load(Path(folder) / "any", SECRETS)


def taken(door: str, body: bytes, *, around: str = "", kind: str | None = None) -> list[Reading | Unacceptable]:
    """What the door makes of the bytes. `around` is put into the path, its query, and headers."""
    given = SHAPES[door][1] if door in SHAPES else "application/json"
    message = Message(
        system="s", body=body, at=NOW, id=ID, door=door, content_type=given if kind is None else kind,
        path=f"x/{around}?t={around}&{around}", headers={"t": around, "authorization": around},
    )  # fmt: skip
    answers = platform().receive(message)
    for answer in answers:
        storable(answer)
    return answers


def storable(answer: Reading | Unacceptable) -> None:
    """Fails unless the answer is a refusal, or a reading that a database can hold."""
    if isinstance(answer, Unacceptable):
        return
    assert isinstance(answer, Reading)
    assert "\x00" not in str(json.loads(answer.model_dump_json())), "a text that no database holds"


def zipped(*contents: bytes) -> bytes:
    """A zip of files with these contents."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"{number}", content)
    return packed.getvalue()


def book(*rows: tuple[object, ...]) -> bytes:
    """A workbook with these rows."""
    import openpyxl

    written, packed = openpyxl.Workbook(), io.BytesIO()
    sheet = written.active
    assert sheet is not None
    for row in rows:
        sheet.append(list(row))
    written.save(packed)
    return packed.getvalue()


RELATED = (
    b"--b\r\nContent-ID: <e>\r\nContent-Type: application/xop+xml\r\n\r\n"
    b'<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><Op xmlns=""><a>1</a>'
    b'<t><Include xmlns="http://www.w3.org/2004/08/xop/include" href="cid:f"/></t></Op></Body></Envelope>\r\n'
    b"--b\r\nContent-ID: <f>\r\nContent-Type: image/png\r\n\r\n\xff\x00\r\n--b--\r\n"
)
POINTING = (
    b'<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><Op xmlns=""><a>1</a><t href="#i"/></Op>'
    b'<multiRef xmlns="" id="i">2</multiRef></Body></Envelope>'
)
_DOCUMENT = b'{"a":"1","t":"x"}'
SOAP = (
    '<Envelope xmlns="http://www.w3.org/2003/05/soap-envelope"><Body>'
    '<Op xmlns=""><a>1</a><t>x</t></Op></Body></Envelope>'
)


@cache
def good() -> Mapping[str, bytes]:
    """For every shape, bytes it reads: what others are made from by damage."""
    secret = encrypt(_DOCUMENT, algorithm="sm4-cbc", key=KEY.encode(), iv=KEY.encode())
    return {
        "json": _DOCUMENT, "xml": "<?xml version='1.0' encoding='gb2312'?><r a='1'><t>井盖</t></r>".encode("gb18030"),
        "related": RELATED, "pointing": POINTING,
        "soap": SOAP.encode(), "text": "井盖".encode(), "form": b"params=%7B%22a%22%3A%221%22%7D",
        "fields": b"a=1&t=x&u=x&u=y",
        "parts": b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
                 b'--b\r\nContent-Disposition: form-data; name="f"; filename="t.png"\r\n\r\nx\r\n--b--\r\n',
        "query": b"", "base64": base64.b64encode(_DOCUMENT), "gunzip": gzip.compress(_DOCUMENT),
        "zip": zipped(b"a,t\r\n1,x\r\n"), "zips": zipped(zipped(_DOCUMENT)),
        "zipped_gzip": zipped(gzip.compress(_DOCUMENT)), "books": zipped(book(("a", "t"), (1, "x"))),
        "csv": b'a;t\r\n1;"x\r\ny"\r\n', "xlsx": book(("a", "t"), (1, "x")),
        "hex": b"\x01\xff", "ndjson": b'{"a":"1"}\n\n{"a":"2"}\r\n', "sheets": b"title\na,t\n1,x\nT,1\n",
        "mixed": b"--b\r\nContent-Type: text/xml\r\n\r\n<a><t>1</t></a>\r\n"
                 b"--b\r\nContent-Type: image/png\r\n\r\n\xff\r\n--b--\r\n",
        "inside": b'{"a":"1","t":"' + base64.b64encode(gzip.compress(b"[1]")) + b'"}',
        "lines": b"##0012x,tail\r\n", "decrypt": base64.b64encode(secret),
    }  # fmt: skip
