"""SOAP faults come with HTTP 500, and so do the pages of gateways: each is judged by its own row."""

from pathlib import Path

import pytest

import adapters
from adapters import System
from canonical.errors import HubError, InDoubt, Refused, Unavailable
from canonical.message import Message
from tests.adapters.systems import ID, NOW

FAULT = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>s:Server</faultcode>'
    "<faultstring>类目不存在</faultstring></s:Fault></s:Body></s:Envelope>"
)
PAGE = "<html><body>502 Bad Gateway<br></body></html>"
SYSTEM = """\
title: 某平台
edition: "1"
roles: [owner]
connector: {protocol: http}
answers:
  told:
    shape: [soap: submitResponse]
    rows:
      - {when: {Fault: {present: "yes"}}, then: refused, text: {from: Fault.faultstring}}
      - {when: {no: {present: "yes"}}, then: accepted, external_id: {from: no}}
      - {http: "404", then: absent}
      - {http: 5xx, then: unavailable}
      - {http: 2xx, then: refused}
tells: {owner: {dispatch: out}}
"""
OUT = "direction: out\ntitle: 派遣\nrepeat: never\npath: /s\nanswer: told\nbody: {no: {from: case.no}}\n"


@pytest.fixture
def system(tmp_path: Path) -> System:
    for name, text in {"system.yaml": SYSTEM, "messages/out.yaml": OUT}.items():
        (tmp_path / "s" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "s" / name).write_text(text, encoding="utf-8")
    return adapters.load(tmp_path / "s", {})


@pytest.mark.parametrize(
    ("status", "body", "ended", "words"),
    [
        (500, FAULT, Refused, "类目不存在"),
        (200, FAULT, Refused, "类目不存在"),
        (502, PAGE, Unavailable, "HTTP 502"),
        (500, "", Unavailable, "HTTP 500"),
        (200, PAGE, InDoubt, "cannot be read"),  # it may have been taken: nothing said that it was not
        (200, "", InDoubt, "cannot be read"),
        (404, PAGE, InDoubt, "cannot be read"),  # a service that has moved has nothing of ours either
        (403, PAGE, InDoubt, "cannot be read"),
        (429, PAGE, Unavailable, "HTTP 429"),  # it was not looked at
        (429, "", Unavailable, "HTTP 429"),
    ],
    ids=[
        "fault",
        "fault with 200",
        "gateway",
        "empty 500",
        "page with 200",
        "empty 200",
        "page with 404",
        "no row",
        "busy page",
        "busy",
    ],
)
def test_what_cannot_be_read_is_known_by_an_error_status_alone_or_in_doubt(
    system: System, status: int, body: str, ended: type[HubError], words: str
) -> None:
    answer = Message(
        system="s", body=body.encode(), at=NOW, id=ID, door="out", content_type="text/xml", status=status
    )  # fmt: skip

    with pytest.raises(ended) as caught:
        system.judge("out", answer)

    assert type(caught.value) is ended
    assert words in str(caught.value)
