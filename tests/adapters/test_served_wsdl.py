"""The WSDL a door serves leads its clients to the door, and to every document they need."""

from pathlib import Path

import pytest
from lxml import etree

import adapters
from adapters.served_wsdl import read_served
from canonical.errors import Misconfigured
from tests.adapters.test_soap_envelopes import CASE, SYSTEM

ADDRESS = "https://hub.example/in/s/services/case"
WSDL = """<w:definitions targetNamespace="urn:s" xmlns:w="http://schemas.xmlsoap.org/wsdl/"
 xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/"
 xmlns:xs="http://www.w3.org/2001/XMLSchema"><w:import namespace="urn:p" location="port.wsdl"/>
<w:types><xs:schema><xs:import namespace="urn:m" schemaLocation="http://10.0.0.7/x?xsd=model.xsd"/>
<xs:import namespace="http://www.w3.org/XML/1998/namespace" schemaLocation="http://www.w3.org/2001/xml.xsd"/>
</xs:schema></w:types>
<w:service name="S"><w:port name="A"><soap:address location="http://10.0.0.7/x"/></w:port>
<w:port name="B"><soap12:address location="http://10.0.0.7/x"/></w:port></w:service></w:definitions>"""
FILES = {
    "case.wsdl": WSDL,
    "port.wsdl": '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" targetNamespace="urn:p"/>',
    "model.xsd": '<schema xmlns="http://www.w3.org/2001/XMLSchema"><include schemaLocation="base.xsd"/></schema>',
    "base.xsd": '<schema xmlns="http://www.w3.org/2001/XMLSchema"><include schemaLocation="model.xsd"/></schema>',
    "secret.xsd": "<schema/>",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def stated(document: bytes | None) -> list[str]:
    assert document is not None
    return [
        str(value) for node in etree.fromstring(document).iter("*") for name, value in node.attrib.items()
        if name in {"location", "schemaLocation"}
    ]  # fmt: skip


@pytest.mark.parametrize("query", ["wsdl", "WSDL", "wsdl=1", "singleWsdl", "wsdl=case.wsdl"])
def test_a_client_is_led_to_our_address_and_to_what_we_serve(folder: Path, query: str) -> None:
    assert stated(read_served(folder / "case.wsdl").document(query, ADDRESS)) == [
        f"{ADDRESS}?wsdl=port.wsdl", f"{ADDRESS}?xsd=model.xsd", "http://www.w3.org/2001/xml.xsd", ADDRESS, ADDRESS,
    ]  # fmt: skip


def test_what_is_imported_is_served_and_leads_on(folder: Path) -> None:
    served = read_served(folder / "case.wsdl")

    assert stated(served.document("xsd=model.xsd", ADDRESS)) == [f"{ADDRESS}?xsd=base.xsd"]
    assert stated(served.document("xsd=base.xsd", ADDRESS)) == [f"{ADDRESS}?xsd=model.xsd"]
    assert stated(served.document("wsdl=port.wsdl", ADDRESS)) == []


@pytest.mark.parametrize("query", ["xsd=secret.xsd", "xsd=../../system.yaml", "xsd=", "wsd", "", "x=model.xsd"])
def test_nothing_else_is_served(folder: Path, query: str) -> None:
    assert read_served(folder / "case.wsdl").document(query, ADDRESS) is None


def test_without_an_address_of_ours_its_own_stays(folder: Path) -> None:
    assert stated(read_served(folder / "case.wsdl").document("wsdl", ""))[-1] == "http://10.0.0.7/x"


def test_a_document_that_is_missing_is_named(folder: Path) -> None:
    (folder / "base.xsd").unlink()

    with pytest.raises(Misconfigured, match=r"contract/base\.xsd"):
        read_served(folder / "case.wsdl")


def test_it_is_a_finding_at_the_door(tmp_path: Path) -> None:
    for name, text in {
        "system.yaml": SYSTEM.replace("    messages: [case]\n", "    messages: [case]\n    wsdl: case.wsdl\n"),
        "messages/case.yaml": CASE, "contract/case.schema.json": '{"type": "object"}', "contract/case.wsdl": WSDL,
    }.items():  # fmt: skip
        (tmp_path / "s" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "s" / name).write_text(text, encoding="utf-8")

    [found] = adapters.check(tmp_path / "s")

    assert str(found).startswith("system.yaml:9: error: doors.push.wsdl: contract/")
