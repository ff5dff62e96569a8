"""What is written for a SOAP platform is held against its WSDL by `gridhub check`, before anything is sent."""

import json
from pathlib import Path

import pytest

import adapters
from gateway.hub import clock
from gateway.new_system import new_system
from gateway.soap_review import soap_findings

SERVICE = """<definitions name="S" targetNamespace="urn:t" xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:t="urn:t"
 xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:s="http://www.w3.org/2001/XMLSchema" xmlns:m="urn:m">
<types><s:schema elementFormDefault="qualified" targetNamespace="urn:t">
<s:import namespace="urn:m" schemaLocation="http://10.0.0.7:7001/svc?xsd=model.xsd"/>
<s:element name="submitRequest"><s:complexType><s:sequence>
  <s:element name="token" type="s:string"/><s:element name="info" type="m:Case"/></s:sequence>
  <s:attribute name="version" type="s:string" use="required"/></s:complexType></s:element>
</s:schema></types>
<message name="in"><part name="parameters" element="t:submitRequest"/></message>
<message name="out"><part name="parameters" element="m:submitReply"/></message>
<portType name="P"><operation name="submit"><input message="t:in"/><output message="t:out"/></operation></portType>
<binding name="B" type="t:P"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
<operation name="submit"><soap:operation soapAction="" style="document"/>
<input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation></binding>
<service name="S"><port name="P" binding="t:B"><soap:address location="http://10.0.0.7:7001/svc"/></port></service>
</definitions>"""
MODEL = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:m" xmlns:m="urn:m">
<xs:complexType name="Case"><xs:sequence><xs:element name="no" type="xs:string"/>
<xs:element name="at" type="xs:dateTime"/><xs:element name="kind" minOccurs="0"><xs:complexType><xs:simpleContent>
<xs:extension base="xs:string"><xs:attribute name="scheme" type="xs:string" use="required"/></xs:extension>
</xs:simpleContent></xs:complexType></xs:element></xs:sequence></xs:complexType>
<xs:element name="submitReply"><xs:complexType><xs:sequence><xs:element name="code" type="xs:int"/></xs:sequence>
</xs:complexType></xs:element></xs:schema>"""
SYSTEM = """\
title: 某平台
edition: "1"
roles: [owner]
secrets: {token: {title: 令牌}}
connector:
  protocol: soap
  wsdl:
    /svc: svc.wsdl
answers: {any: {shape: [soap: submitReply], rows: [{http: 2xx, then: accepted}]}}
tells: {owner: {dispatch: dispatch}}
"""
DISPATCH = """\
direction: out
title: 派遣
repeat: never
path: /svc#submit
format: arguments
answer: any
body:
  token: {secret: token}
  info:
    no: {from: case.reference}
    at: {from: action.at, time: iso}
seal: {"@version": "3"}
"""
SAMPLE = {
    "message": "dispatch", "path": "/svc#submit",
    "given": {"action": {"kind": "dispatch", "actor": {"party": "hub", "id": "r"}, "at": "2026-05-20T10:00:00+08:00"}},
}  # fmt: skip


def folder(place: Path, *, dispatch: str = DISPATCH, model: str = MODEL) -> Path:
    files = {
        "system.yaml": SYSTEM, "messages/dispatch.yaml": dispatch, "contract/svc.wsdl": SERVICE,
        "contract/model.xsd": model, "samples/dispatch.out.json": json.dumps(SAMPLE),
    }  # fmt: skip
    for name, text in files.items():
        (place / "p" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "p" / name).write_text(text, encoding="utf-8")
    return place / "p"


def test_what_fits_is_no_finding(tmp_path: Path) -> None:
    made = folder(tmp_path)

    assert adapters.check(made) == []
    assert soap_findings(made) == []


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("svc#submit", "svc#submitt", "messages/dispatch.yaml:4", "has no operation 'submitt'; did you mean 'submit'?"),
        ("/svc#", "/svd#", "messages/dispatch.yaml:4", "no WSDL is declared for '/svd'; did you mean '/svc'?"),
        ("no: {from", "noo: {from", "messages/dispatch.yaml:10", "no such member; did you mean 'no'?"),
        ("no: {from", "noo: {from", "messages/dispatch.yaml:9", "no is missing: the WSDL wants it"),
        ('seal: {"@version": "3"}\n', "", "messages/dispatch.yaml:7", "version is missing"),
        ("at, time: iso", 'at, time: "yyyy-MM-dd HH:mm:ss"', "samples/dispatch.out.json", "info.at: a time as 2026"),
    ],
    ids=["operation", "path", "name", "missing", "attribute", "sample"],
)
def test_what_does_not_fit_is_found_with_file_line_and_the_nearest_name(
    tmp_path: Path, old: str, new: str, place: str, words: str
) -> None:
    assert old in DISPATCH
    found = [str(one) for one in soap_findings(folder(tmp_path, dispatch=DISPATCH.replace(old, new)))]

    assert [one for one in found if one.startswith(f"{place}: error: ") and words in one], found


def test_a_wsdl_that_cannot_be_used_is_found_where_it_is_named(tmp_path: Path) -> None:
    made = folder(tmp_path)
    (made / "contract" / "model.xsd").unlink()

    [found] = soap_findings(made)

    assert str(found).startswith("system.yaml:8: error: connector.wsdl./svc: model.xsd is imported, and does not lie")


def test_a_folder_that_cannot_be_loaded_is_left_to_others(tmp_path: Path) -> None:
    made = folder(tmp_path, dispatch=DISPATCH.replace("from: case.reference", "from: case.nonsense"))

    assert adapters.check(made)
    assert soap_findings(made) == []


@pytest.mark.parametrize("serve", [False, True], ids=["we call", "they call"])
def test_a_folder_begun_from_a_wsdl_has_attributes_its_own_elements_and_imports_by_address(
    tmp_path: Path, *, serve: bool
) -> None:
    (tmp_path / "svc.wsdl").write_text(SERVICE, encoding="utf-8")
    (tmp_path / "model.xsd").write_text(MODEL, encoding="utf-8")
    (tmp_path / "into").mkdir()

    new_system("parks", tmp_path / "svc.wsdl", tmp_path / "into", role="source", now=clock(), serve=serve)

    made = tmp_path / "into" / "parks"
    assert (made / "contract" / "model.xsd").is_file()
    assert adapters.check(made) == []
    assert soap_findings(made) == []
    if serve:
        told = (made / "system.yaml").read_text(encoding="utf-8")
        assert "shape: [soap: submitRequest]" in told
        assert 'namespace: "urn:m"' in told
    else:
        told = (made / "messages" / "submit.yaml").read_text(encoding="utf-8")
        assert all(name in told for name in ('"@version":', '"#text":', '"@scheme":'))
