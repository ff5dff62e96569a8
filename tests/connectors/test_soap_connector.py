"""Sealing: the envelope is what the WSDL says, and equal to the partner's samples."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from lxml import etree

from canonical.errors import ContractViolation, Misconfigured
from canonical.message import Message
from connectors.soap import SoapConnector

AT = datetime(2026, 3, 16, 1, 0, tzinfo=UTC)
GREETING = Path(__file__).with_name("greeting.wsdl")
CONTRACT = Path(__file__).parents[2] / "adapters" / "urban_management" / "contract"
WSDLS = {
    "/WebService/CityManager.asmx": CONTRACT / "city_manager.wsdl",
    "/WebService/CityManagerQYSWGnew.asmx": CONTRACT / "city_manager_status.wsdl",
    "/WebBuilderMobileService/Service.asmx": CONTRACT / "letters.wsdl",
}
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, remove_blank_text=True)


def connector(wsdls: dict[str, Path]) -> SoapConnector:
    return SoapConnector("http://127.0.0.1:9", wsdls, timeout=1, ids=uuid4, now=lambda: AT)


@pytest.fixture(scope="module")
def greeting() -> Iterator[SoapConnector]:
    made = connector({"/service": GREETING})
    yield made
    made.close()


def message(body: str, path: str = "/service#Greet") -> Message:
    return Message(system="greeting", body=body.encode(), at=AT, id=UUID(int=7), path=path, headers={"x-site": "7"})


def words(envelope: bytes) -> list[tuple[str, str | None]]:
    """The operation's elements in their order."""
    root = etree.fromstring(envelope, _PARSER)
    return [(etree.QName(element).localname, element.text) for element in root[0][0]]


def same(left: bytes, right: bytes) -> bool:
    """Equal as documents: prefixes, and blanks between elements, do not count."""

    def canonical(text: bytes) -> str:
        root = etree.fromstring(text, _PARSER)
        return str(etree.canonicalize(etree.tostring(root, encoding="unicode"), rewrite_prefixes=True))

    return canonical(left) == canonical(right)


def test_an_envelope_has_the_arguments_in_the_order_of_the_wsdl(greeting: SoapConnector) -> None:
    sealed = greeting.seal(message('{"second": "<b> & 中文", "first": "一"}'))

    assert words(sealed.body) == [("first", "一"), ("second", "<b> & 中文")]
    assert sealed.headers == {"x-site": "7", "soapaction": '"http://greeting.example/Greet"'}
    assert (sealed.path, sealed.content_type) == ("/service", "text/xml; charset=utf-8")
    assert sealed.id == UUID(int=7)


def test_an_optional_argument_may_be_null_or_empty(greeting: SoapConnector) -> None:
    assert words(greeting.seal(message('{"first": "", "second": null}')).body) == [("first", None)]


@pytest.mark.parametrize(
    "body",
    [
        '{"second": "张某某"}',
        '{"first": "张某某", "third": "3"}',
        '{"first": "张某某\\u0000"}',
        '["张某某"]',
        "张某某",
    ],
    ids=["required missing", "unknown", "no XML character", "no object", "no JSON"],
)
def test_arguments_that_do_not_fit_break_the_contract_and_are_not_quoted(greeting: SoapConnector, body: str) -> None:
    with pytest.raises(ContractViolation) as caught:
        greeting.seal(message(body))
    assert "张" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize("path", ["/service#Shout", "/other#Greet", "/service", "#Greet", ""])
def test_an_operation_no_wsdl_has_breaks_the_contract(greeting: SoapConnector, path: str) -> None:
    with pytest.raises(ContractViolation, match="no WSDL"):
        greeting.seal(message("{}", path))


def test_every_wsdl_of_the_shipped_system_loads() -> None:
    connector(WSDLS).close()


@pytest.mark.parametrize("sample", ["01_pull", "02_status_callback", "03_post_case"])
def test_an_envelope_equals_the_partners_sample(shared: Path, sample: str) -> None:
    folder = shared / "contracts" / "urban-mgmt-asmx-soap" / "samples"
    wanted = (folder / f"{sample}_request.xml").read_bytes()
    rows = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    transport = next(row["transport"] for row in rows if row["id"] == sample[:2])
    arguments = {name: text or "" for name, text in words(wanted)}
    operation = transport["headers"]["SOAPAction"].strip('"').rpartition("/")[2]

    made = connector(WSDLS)
    sealed = made.seal(message(json.dumps(arguments), f"{transport['path']}#{operation}"))
    made.close()

    assert same(sealed.body, wanted)
    assert sealed.headers["soapaction"] == transport["headers"]["SOAPAction"]
    assert sealed.content_type == transport["headers"]["Content-Type"]
    assert sealed.path == transport["path"]


_HARM = {
    "missing file": None,
    "no XML": "not XML",
    "no WSDL": "<a/>",
    "no operation": '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/"/>',
    "a DTD": '<!DOCTYPE a><definitions xmlns="http://schemas.xmlsoap.org/wsdl/"/>',
    "an import from the network": '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/">'
    '<import namespace="x" location="http://127.0.0.1:9/other.wsdl"/></definitions>',
    "an import from elsewhere": '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/">'
    '<import namespace="x" location="ftp://127.0.0.1:9/other.wsdl"/></definitions>',
}


@pytest.mark.parametrize("harm", _HARM)
def test_a_wsdl_that_cannot_be_used_stops_at_start_up(tmp_path: Path, harm: str) -> None:
    wsdl = tmp_path / "broken.wsdl"
    text = _HARM[harm]
    if text is not None:
        wsdl.write_text(text, encoding="utf-8")
    with pytest.raises(Misconfigured):
        connector({"/service": wsdl})


def test_a_wsdl_with_an_entity_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("s3cret", encoding="utf-8")
    wsdl = tmp_path / "greedy.wsdl"
    head = f'<!DOCTYPE definitions [<!ENTITY secret SYSTEM "{secret.as_uri()}">]>'
    wsdl.write_text(GREETING.read_text(encoding="utf-8").replace("?>", f"?>{head}", 1), encoding="utf-8")
    with pytest.raises(Misconfigured) as caught:
        connector({"/service": wsdl})
    assert "s3cret" not in str(caught.value)


def test_a_reader_that_wants_its_own_prefix_gets_it_and_texts_stay_as_they_are() -> None:
    given = {"/service": GREETING}
    made = SoapConnector("http://127.0.0.1:9", given, timeout=1, ids=uuid4, now=lambda: AT, prefix="soapenv")
    text = "see soap-env:Body <soap-env:x>"

    sealed = made.seal(message(json.dumps({"first": text, "second": "b"})))
    made.close()

    assert b"<soapenv:Envelope xmlns:soapenv=" in sealed.body
    assert b"</soapenv:Body>" in sealed.body
    assert words(sealed.body)[0] == ("first", text)
