"""SOAP 1.2, blocks in the header, and WSDLs that change, against a server that reads envelopes by itself."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from lxml import etree

import adapters
from canonical.errors import Misconfigured, Unavailable
from canonical.message import Message
from connectors.service_description import changes, pieces
from connectors.soap import SoapConnector
from tests.adapters.systems import ID, NOW, outbound_of

GREETING = Path(__file__).with_name("greeting.wsdl")
SOAP_11, SOAP_12 = "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"


@dataclass
class Service:
    """What it serves as its WSDL, and what was posted to it."""

    url: str = ""
    answer: tuple[int, bytes] = (200, GREETING.read_bytes())
    beside: dict[str, bytes] = field(default_factory=dict)
    posted: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def served() -> Iterator[Service]:
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = service.answer if self.path == "/service?wsdl" else (200, service.beside.get(self.path, b""))
            status = status if body or self.path == "/service?wsdl" else 404
            self.send_response(status)
            self.send_header("location", "/elsewhere?wsdl")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            service.posted.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def service() -> Iterator[Service]:
    with served() as made:
        yield made


def connector(service: Service, version: str = "", wsdl: Path = GREETING) -> SoapConnector:
    return SoapConnector(
        service.url, {"/service": wsdl}, timeout=5, ids=uuid4, now=lambda: datetime.now(UTC), version=version
    )  # fmt: skip


def said(arguments: dict[str, object]) -> Message:
    body = json.dumps(arguments).encode()
    return Message(system="greeting", body=body, at=NOW, id=UUID(int=7), path="/service#Greet")


@pytest.mark.parametrize(("version", "namespace"), [("", SOAP_11), ("1.1", SOAP_11), ("1.2", SOAP_12)])
def test_each_version_has_its_envelope_and_says_its_action_in_its_way(
    service: Service, version: str, namespace: str
) -> None:
    wire = connector(service, version)
    wire.send(wire.seal(said({"first": "一"})))
    wire.close()

    [(headers, body)] = service.posted
    envelope = etree.fromstring(body)
    assert envelope.tag == f"{{{namespace}}}Envelope"
    assert (
        envelope.findtext(f"{{{namespace}}}Body/{{http://greeting.example/}}Greet/{{http://greeting.example/}}first")
        == "一"
    )
    if namespace == SOAP_12:
        assert (
            headers["content-type"] == 'application/soap+xml; charset=utf-8; action="http://greeting.example/Greet12"'
        )
        assert "soapaction" not in headers
    else:
        assert headers["content-type"] == "text/xml; charset=utf-8"
        assert headers["soapaction"] == '"http://greeting.example/Greet"'


def test_a_service_that_speaks_1_2_only_is_spoken_to_in_1_2(service: Service, tmp_path: Path) -> None:
    text = GREETING.read_text(encoding="utf-8")
    begin, end = text.index('<binding name="GreetingSoap" '), text.index("<!-- The same again")
    only = tmp_path / "only.wsdl"
    only.write_text((text[:begin] + text[end:]).replace('<port name="GreetingSoap" binding="tns:GreetingSoap">'
        '<soap:address location="http://greeting.example/service"/></port>', ""), encoding="utf-8")  # fmt: skip

    wire = connector(service, wsdl=only)
    assert wire.seal(said({"first": "x"})).content_type.startswith("application/soap+xml")
    wire.close()
    with pytest.raises(Misconfigured, match=r"no SOAP 1\.1 operation"):
        connector(service, "1.1", only)


SYSTEM = f"""\
title: 签名服务
edition: "1"
roles: [owner]
secrets: {{account: {{title: 账号}}, password: {{title: 口令}}}}
connector: {{protocol: soap, soap: "1.2", wsdl: {{/service: greeting.wsdl}}}}
common:
  soap_headers:
    - root: Security
      namespace: {WSSE}
      tree:
        UsernameToken:
          Username: {{secret: account}}
          Password:
            "@Type": "#PasswordDigest"
            "#text":
              {{of: [{{from: id}}, {{from: now, time: iso}}, {{secret: password}}], join: "", digest: sha1,
               output: base64}}
          Nonce: {{from: id, encode: base64}}
          "{{{WSU}}}Created": {{from: now, time: iso}}
    - {{root: AuthHeader, namespace: "http://greeting.example/", tree: {{UserName: {{secret: account}}, Site: "7"}}}}
answers: {{any: {{shape: [text], rows: [{{http: 2xx, then: accepted}}]}}}}
tells: {{owner: {{dispatch: out}}}}
"""
OUT = (
    "direction: out\ntitle: 派遣\nrepeat: safe\npath: /service#Greet\nformat: arguments\nanswer: any\n"
    "body: {first: {from: case.no}}\n"
)


def test_an_account_stands_in_the_envelopes_header(service: Service, tmp_path: Path) -> None:
    folder = tmp_path / "signed"
    for name, text in {
        "system.yaml": SYSTEM,
        "messages/out.yaml": OUT,
        "contract/greeting.wsdl": GREETING.read_text("utf-8"),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    assert adapters.check(folder) == []
    system = adapters.load(folder, {"account": "城管<1>", "password": "p"})
    action = {"kind": "dispatch", "actor": {"party": "hub", "id": "r"}, "at": "2026-05-20T10:00:00+08:00", "unit": "u"}
    message = system.write(outbound_of("out", {"case": {"no": "26-1"}, "action": action}), now=NOW, id=ID)

    wire = connector(service, system.connector.soap)
    wire.send(wire.seal(message))
    wire.close()

    [(_, body)] = service.posted
    header = etree.fromstring(body).find(f"{{{SOAP_12}}}Header")
    assert header is not None
    token = header.find(f"{{{WSSE}}}Security/{{{WSSE}}}UsernameToken")
    assert token is not None
    nonce = base64.b64decode(token.findtext(f"{{{WSSE}}}Nonce") or "")
    created = token.findtext(f"{{{WSU}}}Created") or ""
    wanted = base64.b64encode(hashlib.sha1(nonce + created.encode() + b"p", usedforsecurity=False).digest()).decode()
    password = token.find(f"{{{WSSE}}}Password")
    assert password is not None
    assert (password.text, password.get("Type")) == (wanted, "#PasswordDigest")
    assert token.findtext(f"{{{WSSE}}}Username") == "城管<1>"
    assert header.findtext("{http://greeting.example/}AuthHeader/{http://greeting.example/}Site") == "7"


def changed(old: str, new: str) -> bytes:
    text = GREETING.read_text(encoding="utf-8")
    assert old in text
    return text.replace(old, new).encode()


SAME: dict[str, Callable[[], bytes]] = {
    "word for word": GREETING.read_bytes,
    "another prefix": lambda: re.sub(rb"\bs:(?=\w)", b"xsd:", changed("xmlns:s=", "xmlns:xsd=")),
    "another address": lambda: changed("http://greeting.example/service", "http://10.0.0.7/x"),
    "words": lambda: changed('<s:element name="first" type="s:string"/>', '<s:element name="first" type="s:string">'
                             "<s:annotation><s:documentation>first</s:documentation></s:annotation></s:element>"),
    "another name of the binding": lambda: changed('<binding name="GreetingSoap" ', '<binding name="GreetingV2" '),
    "an operation more": lambda: changed('<portType name="GreetingSoap">', '<portType name="GreetingSoap">'
                                         '<operation name="Shout"><input message="tns:GreetIn"/></operation>'),
}  # fmt: skip


@pytest.mark.parametrize("what", SAME)
def test_a_wsdl_that_still_says_the_same_is_no_drift(service: Service, what: str) -> None:
    service.answer = (200, SAME[what]())
    wire = connector(service)

    assert wire.drift() == ""
    wire.close()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            (200, changed('name="second" type="s:string"', 'name="second" type="s:int"')),
            "/service: element Greet has changed",
        ),
        ((200, changed('minOccurs="0" name="second"', 'name="second"')), "/service: element Greet has changed"),
        (
            (200, changed('<operation name="Greet"><input', '<operation name="Hail"><input')),
            "/service: operation Greet is gone",
        ),
        ((200, b"<html><body>login</body></html>"), "/service: XML, but no WSDL"),
        ((200, b"<html><br></html>"), "/service: no XML: a web page, or an error, where the WSDL was"),
        ((404, b""), "/service: HTTP 404 instead of the WSDL"),
        ((302, b""), "/service: HTTP 302 instead of the WSDL (it has moved to /elsewhere)"),
        (
            (
                200,
                changed('soapAction="http://greeting.example/Greet"', 'soapAction="http://greeting.example/v2/Greet"'),
            ),
            "/service: call Greet has changed",
        ),
    ],
)
def test_a_wsdl_that_changed_or_moved_is_told_in_a_few_words(
    service: Service, answer: tuple[int, bytes], told: str
) -> None:
    service.answer = answer
    wire = connector(service)

    assert wire.drift() == told
    wire.close()


def test_a_service_that_is_down_is_no_drift(service: Service) -> None:
    service.answer = (503, b"")
    wire = connector(service)

    with pytest.raises(Unavailable):
        wire.drift()
    wire.close()


def test_many_changes_are_not_all_listed() -> None:
    ours: dict[str, Any] = {f"element e{number}": ("a", (), ()) for number in range(9)}

    assert changes(ours, {}) == "; ".join(f"element e{number} is gone" for number in range(5)) + " and 4 more"
    assert changes(pieces(GREETING.read_bytes()), pieces(GREETING.read_bytes())) == ""


TYPES = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:m"><xs:complexType name="Word">' \
    '<xs:sequence><xs:element name="text" type="xs:string"/></xs:sequence></xs:complexType></xs:schema>'  # fmt: skip


def importing(place: str) -> str:
    """The greeting with a type of another document."""
    text = GREETING.read_text(encoding="utf-8").replace('name="second" type="s:string"', 'name="second" type="m:Word"')
    text = text.replace("xmlns:tns=", 'xmlns:m="urn:m" xmlns:tns=', 1)
    schema = '<s:schema elementFormDefault="qualified" targetNamespace="http://greeting.example/">'
    return text.replace(schema, f'{schema}<s:import namespace="urn:m" schemaLocation="{place}"/>')


@pytest.mark.parametrize(
    ("place", "asked"),
    [
        ("http://10.1.2.3:7001/service?xsd=words.xsd", "/service?xsd=words.xsd"),
        ("words.xsd", "/words.xsd"),
        ("/schemas/words.xsd", "/schemas/words.xsd"),
    ],
    ids=["a host of their own network", "beside", "absolute"],
)
@pytest.mark.parametrize(
    ("served", "told"),
    [
        (TYPES, ""),
        (TYPES.replace("xs:string", "xs:int"), "/service: type Word of urn:m has changed"),
        ("<html/>", "/service: type Word of urn:m is gone"),
        ("", "/service: HTTP 404 instead of {asked}"),
    ],
    ids=["the same", "changed", "web page", "gone"],
)
def test_imported_documents_are_compared_too(
    service: Service, tmp_path: Path, place: str, asked: str, served: str, told: str
) -> None:
    (tmp_path / "greeting.wsdl").write_text(importing("words.xsd"), encoding="utf-8")
    (tmp_path / "words.xsd").write_text(TYPES, encoding="utf-8")
    service.answer = (200, importing(place).encode())
    service.beside = {asked: served.encode()}
    wire = connector(service, wsdl=tmp_path / "greeting.wsdl")

    assert wire.drift() == told.format(asked=asked)
    wire.close()


def test_documents_that_import_each_other_end(service: Service, tmp_path: Path) -> None:
    (tmp_path / "greeting.wsdl").write_text(importing("words.xsd"), encoding="utf-8")
    (tmp_path / "words.xsd").write_text(TYPES, encoding="utf-8")
    circle = TYPES.replace("<xs:complexType", '<xs:include schemaLocation="words.xsd"/><xs:complexType', 1)
    service.answer = (200, importing("words.xsd").encode())
    service.beside = {"/words.xsd": circle.encode()}
    wire = connector(service, wsdl=tmp_path / "greeting.wsdl")

    assert wire.drift() == ""
    wire.close()
