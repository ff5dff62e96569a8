"""What a WSDL wants of its arguments: checked against the schema by libxml2, which has no part in making them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from lxml import etree

from canonical.errors import ContractViolation, Misconfigured
from canonical.message import Message
from connectors.soap import SoapConnector

AT = datetime(2026, 3, 16, 1, 0, tzinfo=UTC)
ADDRESS = "http://parks.example/services/case?xsd=types.xsd"
TYPES = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:m="urn:model" targetNamespace="urn:model"
 elementFormDefault="qualified">
<xs:complexType name="Base"><xs:sequence><xs:element name="no" type="xs:string"/></xs:sequence></xs:complexType>
<xs:complexType name="Case"><xs:complexContent><xs:extension base="m:Base"><xs:sequence>
  <xs:element name="small" type="xs:string" nillable="true"/>
  <xs:element name="level" type="xs:int"/>
  <xs:element name="urgent" type="xs:boolean" minOccurs="0"/>
  <xs:element name="due" type="xs:dateTime" nillable="true"/>
  <xs:element name="end" type="xs:date" minOccurs="0"/>
  <xs:element name="kind"><xs:complexType><xs:simpleContent><xs:extension base="xs:string">
    <xs:attribute name="scheme" type="xs:string" use="required"/></xs:extension></xs:simpleContent></xs:complexType>
  </xs:element>
  <xs:element name="at" minOccurs="0"><xs:complexType><xs:sequence>
    <xs:element name="lon" type="xs:double"/><xs:element name="lat" type="xs:double"/></xs:sequence>
    <xs:attribute name="srs" type="xs:string"/></xs:complexType></xs:element>
  <xs:element name="file" minOccurs="0" maxOccurs="3"><xs:complexType><xs:sequence>
    <xs:element name="name" type="xs:string"/><xs:element name="content" type="xs:base64Binary"/>
  </xs:sequence></xs:complexType></xs:element>
</xs:sequence></xs:extension></xs:complexContent></xs:complexType>
</xs:schema>"""
WSDL = f"""<definitions name="S" targetNamespace="urn:s" xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:t="urn:s"
 xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:s="http://www.w3.org/2001/XMLSchema" xmlns:m="urn:model">
<types><s:schema elementFormDefault="qualified" targetNamespace="urn:s">
  <s:import namespace="urn:model" schemaLocation="{ADDRESS}"/>
  <s:element name="submit"><s:complexType><s:sequence>
    <s:element name="token" type="s:string"/><s:element name="info" type="m:Case"/>
  </s:sequence></s:complexType></s:element>
  <s:element name="submitResponse"><s:complexType/></s:element>
</s:schema></types>
<message name="in"><part name="parameters" element="t:submit"/></message>
<message name="out"><part name="parameters" element="t:submitResponse"/></message>
<portType name="P"><operation name="submit"><input message="t:in"/><output message="t:out"/></operation></portType>
<binding name="B" type="t:P"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
<operation name="submit"><soap:operation soapAction="" style="document"/>
<input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation></binding>
<service name="S"><port name="P" binding="t:B"><soap:address location="http://parks.example/services/case"/></port>
</service></definitions>"""
CASE: dict[str, Any] = {
    "no": "7", "small": "s", "level": 2, "urgent": "true", "due": "2026-03-16T09:12:33+08:00", "end": "2026-03-17",
    "kind": {"#text": "E01", "@scheme": "GB"}, "at": {"lon": 118.37, "lat": "31.3", "@srs": "GCJ02"},
    "file": [{"name": "a.jpg", "content": "aGVsbG8="}],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "case.wsdl").write_text(WSDL, encoding="utf-8")
    (tmp_path / "types.xsd").write_text(TYPES, encoding="utf-8")
    return tmp_path


def envelope(folder: Path, body: dict[str, Any], wsdl: str = "case.wsdl", operation: str = "submit") -> etree._Element:
    wire = SoapConnector("http://127.0.0.1:9", {"/s": folder / wsdl}, timeout=1, ids=uuid4, now=lambda: AT)
    try:
        sealed = wire.seal(
            Message(system="s", body=json.dumps(body).encode(), at=AT, id=UUID(int=7), path=f"/s#{operation}")
        )
    finally:
        wire.close()
    root = etree.fromstring(sealed.body)
    return root[-1][0]


def schema(folder: Path) -> etree.XMLSchema:
    whole = etree.fromstring(WSDL.replace(ADDRESS, str(folder / "types.xsd")).encode())
    (folder / "all.xsd").write_bytes(etree.tostring(whole[0][0]))
    return etree.XMLSchema(etree.parse(str(folder / "all.xsd")))


def kept(folder: Path, **changed: Any) -> etree._Element:
    """The case as it travels: valid, whatever was changed."""
    call = envelope(folder, {"token": "t", "info": CASE | changed})
    wanted = schema(folder)
    assert wanted.validate(etree.fromstring(etree.tostring(call))), str(wanted.error_log)
    info = call.find("{urn:s}info")
    assert info is not None
    return info


def told(info: etree._Element) -> dict[str, Any]:
    nil = "{http://www.w3.org/2001/XMLSchema-instance}nil"
    return {etree.QName(one).localname: "nil" if one.get(nil) else one.text for one in info}


def test_a_schema_named_by_its_address_is_read_beside_the_wsdl_and_order_is_its_own(folder: Path) -> None:
    info = kept(folder)

    assert [etree.QName(one).localname for one in info] == [
        "no", "small", "level", "urgent", "due", "end", "kind", "at", "file",
    ]  # fmt: skip
    assert (info.find("{urn:model}kind").attrib, told(info)["kind"]) == ({"scheme": "GB"}, "E01")  # type: ignore[union-attr]


@pytest.mark.parametrize("empty", ["", None], ids=["empty", "null"])
def test_what_is_empty_is_nil_or_absent_where_no_empty_text_may_stand(folder: Path, empty: str | None) -> None:
    info = told(kept(folder, due=empty, end=empty, urgent=empty, at=empty, file=empty))

    assert info["due"] == "nil"
    assert not {"end", "urgent", "at", "file"} & set(info)


def test_an_empty_text_stays_and_a_null_one_is_nil(folder: Path) -> None:
    assert told(kept(folder, small=""))["small"] is None
    assert told(kept(folder, small=None))["small"] == "nil"


def test_one_where_several_may_stand_is_a_list_of_one(folder: Path) -> None:
    assert len(kept(folder, file={"name": "a", "content": ""}).findall("{urn:model}file")) == 1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"level": ""}, "info.level: a whole number is expected, and it is empty"),
        ({"level": "王小明"}, "info.level: a whole number is expected"),
        ({"urgent": "否"}, "info.urgent: true or false is expected"),
        ({"due": "2026-03-16 09:12:33"}, "info.due: a time as 2026-03-16T09:12:33"),
        ({"leval": 2}, "info.leval: no such member; did you mean 'level'?"),
        ({"no": ["1", "2"]}, "info.no: one is expected, not a list"),
        ({"at": "118,31"}, "info.at: an object with lon, lat is expected"),
        ({"at": {"lon": 118}}, "info.at: lat is missing"),
        ({"kind": "E01"}, "info.kind: scheme is missing"),
        ({"file": [{"name": "a", "contents": "x"}]}, "info.file.0.contents: no such member; did you mean 'content'?"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_what_does_not_fit_is_told_by_its_place_and_never_quoted(
    folder: Path, changed: dict[str, Any], words: str
) -> None:
    with pytest.raises(ContractViolation) as caught:
        envelope(folder, {"token": "t", "info": CASE | changed})

    assert words in str(caught.value)
    assert str(caught.value).startswith("submit: the arguments do not fit the WSDL")
    assert "王" not in str(caught.value)


def test_a_member_that_must_be_there_is_missed_by_its_name(folder: Path) -> None:
    with pytest.raises(ContractViolation, match="info: no, level is missing"):
        envelope(folder, {"token": "t", "info": {name: CASE[name] for name in CASE if name not in {"no", "level"}}})


def test_a_schema_that_does_not_lie_beside_the_wsdl_is_asked_for_by_its_name(folder: Path) -> None:
    (folder / "types.xsd").unlink()

    with pytest.raises(Misconfigured, match=r"types\.xsd is imported, and does not lie beside the WSDL"):
        envelope(folder, {})


ENCODING = "http://schemas.xmlsoap.org/soap/encoding/"
RPC = f"""<definitions targetNamespace="urn:ws" xmlns:i="urn:ws" xmlns:b="urn:bean" xmlns:soapenc="{ENCODING}"
 xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:w="http://schemas.xmlsoap.org/wsdl/"
 xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xsd="http://www.w3.org/2001/XMLSchema">
<types><schema targetNamespace="urn:bean" xmlns="http://www.w3.org/2001/XMLSchema">
  <import namespace="{ENCODING}"/>
  <complexType name="Hazard"><sequence>
    <element name="no" nillable="true" type="soapenc:string"/><element name="x" type="xsd:double"/>
    <element name="at" nillable="true" type="xsd:dateTime"/>
    <element name="urls" nillable="true" type="b:Urls"/></sequence></complexType>
  <complexType name="Urls"><complexContent><restriction base="soapenc:Array">
    <attribute ref="soapenc:arrayType" w:arrayType="soapenc:string[]"/></restriction></complexContent></complexType>
</schema></types>
<message name="in"><part name="user" type="soapenc:string"/><part name="bean" type="b:Hazard"/></message>
<message name="out"><part name="r" type="soapenc:string"/></message>
<portType name="P"><operation name="add" parameterOrder="user bean"><input message="i:in"/><output message="i:out"/>
</operation></portType>
<binding name="B" type="i:P"><soap:binding style="rpc" transport="http://schemas.xmlsoap.org/soap/http"/>
<operation name="add"><soap:operation soapAction=""/>
<input><soap:body encodingStyle="{ENCODING}" namespace="urn:ws" use="encoded"/></input>
<output><soap:body encodingStyle="{ENCODING}" namespace="urn:ws" use="encoded"/></output></operation></binding>
<service name="S"><port name="P" binding="i:B"><soap:address location="http://fire.example/axis"/></port></service>
</definitions>"""


def test_an_encoded_service_gets_the_type_of_every_value(tmp_path: Path) -> None:
    (tmp_path / "rpc.wsdl").write_text(RPC, encoding="utf-8")
    bean = {"no": "H1", "x": 118.3, "at": "", "urls": ["http://a/1", "http://a/2"]}

    call = envelope(tmp_path, {"user": "u", "bean": bean}, "rpc.wsdl", "add")

    xsi, soap = "http://www.w3.org/2001/XMLSchema-instance", "http://schemas.xmlsoap.org/soap/envelope/"
    assert call.tag == "{urn:ws}add"
    assert call.get(f"{{{soap}}}encodingStyle") == ENCODING
    found = {
        one.tag: (one.text, _named(one, one.get(f"{{{xsi}}}type")), one.get(f"{{{xsi}}}nil"))
        for one in call.iter() if one is not call
    }  # fmt: skip
    assert found == {
        "user": ("u", f"{{{ENCODING}}}string", None),
        "bean": (None, "{urn:bean}Hazard", None),
        "no": ("H1", f"{{{ENCODING}}}string", None),
        "x": ("118.3", "{http://www.w3.org/2001/XMLSchema}double", None),
        "at": (None, None, "true"),
        "urls": (None, f"{{{ENCODING}}}Array", None),
        "item": ("http://a/2", f"{{{ENCODING}}}string", None),
    }
    array = call.find("bean/urls")
    assert array is not None
    assert _named(array, array.get(f"{{{ENCODING}}}arrayType")) == f"{{{ENCODING}}}string[2]"


def _named(node: etree._Element, value: str | None) -> str | None:
    prefix, colon, local = (value or "").partition(":")
    return f"{{{node.nsmap[prefix]}}}{local}" if colon else None
