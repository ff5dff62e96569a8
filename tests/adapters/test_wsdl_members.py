"""Arguments of a SOAP operation that hold more than one value: expanded from the schema, so that they can be filled."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

import adapters
from adapters.samples import outbound_of
from adapters.wsdl_scaffold import wsdl_scaffold
from canonical.time import SHANGHAI
from connectors.soap import SoapConnector
from gateway.hub import clock, fresh_id
from gateway.reading import bare
from gateway.stub import Stub

NOW = datetime(2026, 5, 21, 12, 0, tzinfo=SHANGHAI)
TYPES = """
<s:element name="submit"><s:complexType><s:sequence>
  <s:element name="user" type="s:string"/>
  <s:element name="order" type="t:Order"/>
  <s:element name="codes" type="s:string" maxOccurs="unbounded"/>
</s:sequence></s:complexType></s:element>
<s:element name="submitResponse"><s:complexType><s:sequence>
  <s:element name="result" type="s:string"/></s:sequence></s:complexType></s:element>
<s:element name="remark" type="s:string"/>
<s:complexType name="Base"><s:sequence><s:element name="caseNo" type="s:string"/></s:sequence></s:complexType>
<s:complexType name="Order"><s:complexContent><s:extension base="t:Base"><s:sequence>
  <s:element name="desc" type="s:string" minOccurs="0"/>
  <s:element ref="t:remark"/>
  <s:element name="files" maxOccurs="9"><s:complexType><s:sequence>
    <s:element name="fileName" type="s:string"/><s:element name="url" type="s:string"/>
  </s:sequence></s:complexType></s:element>
  <s:choice><s:element name="grid" type="s:string"/><s:element name="street" type="s:string"/></s:choice>
  <s:element name="parent" type="t:Order" minOccurs="0"/>
</s:sequence></s:extension></s:complexContent></s:complexType>
"""


def wsdl(types: str = TYPES, *, soap: str = "soap", part: str = 'element="t:submit"') -> bytes:
    return f"""<definitions name="S" targetNamespace="urn:t" xmlns="http://schemas.xmlsoap.org/wsdl/"
 xmlns:soap="http://schemas.xmlsoap.org/wsdl/{soap}/" xmlns:s="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t">
<types><s:schema elementFormDefault="qualified" targetNamespace="urn:t">{types}</s:schema></types>
<message name="in"><part name="parameters" {part}/></message>
<message name="out"><part name="parameters" element="t:submitResponse"/></message>
<portType name="P"><operation name="submit"><input message="t:in"/><output message="t:out"/></operation></portType>
<binding name="B" type="t:P"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
<operation name="submit"><soap:operation soapAction="urn:t#submit" style="document"/>
<input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation></binding>
<service name="S"><port name="P" binding="t:B"><soap:address location="http://a.example/svc"/></port></service>
</definitions>""".encode()


def made(folder: Path, data: bytes, *, serve: bool = False) -> Path:
    """The folder of a WSDL, on disk."""
    files = wsdl_scaffold("p", "a.wsdl", data, role="owner", serve=serve).files
    for name, content in files.items():
        path = folder / "p" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "p"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_nested_arguments_are_written_in_order_with_arrays_once_and_recursion_ended(tmp_path: Path) -> None:
    folder = made(tmp_path, wsdl())

    body = read(folder / "messages" / "submit.yaml")["body"]

    assert body == {
        "user": "",
        "order": {
            "caseNo": {"from": "case.reference"}, "desc": {"from": "case.description"}, "remark": "",
            "files": [{"fileName": "", "url": ""}], "grid": body["order"]["grid"], "parent": "",
        },
        "codes": [""],
    }  # fmt: skip
    assert list(body["order"]) == ["caseNo", "desc", "remark", "files", "grid", "parent"]
    assert adapters.check(folder) == []


@pytest.mark.parametrize("soap", ["soap", "soap12"])
def test_what_is_written_fits_the_wsdl_and_its_answer_is_judged(tmp_path: Path, soap: str) -> None:
    folder = made(
        tmp_path, wsdl(TYPES.replace('<s:element name="parent" type="t:Order" minOccurs="0"/>', ""), soap=soap)
    )
    system = bare(folder)
    given = {
        "action": {"kind": "dispatch", "actor": {"party": "centre", "id": "op1"}, "at": NOW.isoformat(), "unit": "u"}
    }
    message = system.write(outbound_of("submit", given), now=NOW, id=fresh_id())

    connector = SoapConnector("http://127.0.0.1:9", system.connector.wsdls, timeout=1, ids=fresh_id, now=clock)
    sealed = connector.seal(message)
    connector.close()
    answer, heard = Stub(folder, system).hear("POST", sealed.path, {"content-type": sealed.content_type}, sealed.body)

    assert (heard.message, heard.trouble) == ("submit", "")
    system.judge("submit", answer.message("p"))
    assert b"submitResponse" in answer.body


def test_what_calls_us_is_read_inside_its_arguments(tmp_path: Path) -> None:
    folder = made(tmp_path, wsdl(), serve=True)

    declared = read(folder / "messages" / "submit.yaml")

    assert declared["external_id"] == {"from": "order.caseNo"}
    assert declared["report"]["description"] == {"from": "order.desc"}
    assert adapters.check(folder) == []


def test_a_type_that_only_holds_itself_and_a_part_with_a_type_end(tmp_path: Path) -> None:
    loop = '<s:complexType name="A"><s:sequence><s:element name="a" type="t:A"/></s:sequence></s:complexType>'
    response = '<s:element name="submitResponse" type="s:string"/>'

    folder = made(tmp_path, wsdl(loop + response, part='type="t:A"'))

    assert read(folder / "messages" / "submit.yaml")["body"] == {"parameters": {"a": ""}}
