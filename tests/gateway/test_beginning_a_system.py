"""`gridhub new-system` with what newcomers hand it: imported schemas, secrets, empty and enormous files, odd names."""

import json
from datetime import datetime
from pathlib import Path

import pytest

import adapters
from adapters.yaml_file import read_yaml
from canonical.errors import Misconfigured
from canonical.time import SHANGHAI
from gateway.new_system import new_system
from gateway.trial import keep_golden

NOW = datetime(2026, 5, 20, 12, 0, tzinfo=SHANGHAI)
WSDL = """<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:xs="http://www.w3.org/2001/XMLSchema"
 xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:t="urn:parks" targetNamespace="urn:parks">
<types><xs:schema><xs:import namespace="urn:parks" schemaLocation="parks.xsd"/></xs:schema></types>
<message name="in"><part name="parameters" element="t:returnOrder"/></message>
<portType name="P"><operation name="returnOrder"><input message="t:in"/></operation></portType>
<binding name="B" type="t:P"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
<operation name="returnOrder"><soap:operation soapAction=""/><input><soap:body use="literal"/></input></operation>
</binding>
<service name="S"><port name="P" binding="t:B"><soap:address location="http://127.0.0.1/ws"/></port></service>
</definitions>"""
XSD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:parks">
<xs:element name="returnOrder">
<xs:complexType><xs:sequence>
<xs:element name="id"/><xs:element name="reason"/></xs:sequence></xs:complexType>
</xs:element></xs:schema>"""
REQUEST = """POST /push HTTP/1.1
Content-Type: application/json
X-Park-Token: 3f0c9d7e5b

{"orderId": "YL1", "content": "行道树倒伏"}
"""


def begun(tmp_path: Path, name: str, file: Path) -> Path:
    into = tmp_path / "into"
    into.mkdir(exist_ok=True)
    return new_system(name, file, into, role="source", now=NOW)[0]


def sample(tmp_path: Path, name: str, content: str | bytes) -> Path:
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def test_arguments_of_an_imported_schema_are_found_and_the_schema_comes_along(tmp_path: Path) -> None:
    sample(tmp_path, "parks.xsd", XSD)

    folder = begun(tmp_path, "parks", sample(tmp_path, "parks.wsdl", WSDL))

    written = read_yaml(folder / "messages" / "return_order.yaml", [], name="return_order.yaml")
    assert written is not None
    assert list(written.data["body"]) == ["id", "reason"]
    assert (folder / "contract" / "parks.xsd").read_text(encoding="utf-8") == XSD
    assert adapters.check(folder) == []


def test_a_schema_that_is_not_there_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"parks\.wsdl: imports parks\.xsd"):
        begun(tmp_path, "parks", sample(tmp_path, "parks.wsdl", WSDL))

    assert list((tmp_path / "into").iterdir()) == []


def test_a_header_called_like_a_secret_is_the_guess_and_its_value_is_not_kept(tmp_path: Path) -> None:
    folder = begun(tmp_path, "parks", sample(tmp_path, "parks.http", REQUEST))

    declared = read_yaml(folder / "system.yaml", [], name="system.yaml")
    assert declared is not None
    assert declared.data["doors"]["push"]["authenticate"] == {"header": "x-park-token", "secret": "token"}
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()]
    assert [text for text in texts if "3f0c9d7e5b" in text] == []


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("empty.json", "", "empty.json is empty"),
        ("object.json", "{}", "object.json: the sample holds no object"),
        ("garbage.json", bytes(range(128, 256)) * 9, "garbage.json: the sample is neither UTF-8 nor GB18030"),
        ("deep.json", '{"n":' * 5000 + "1" + "}" * 5000, "deep.json: not JSON"),
        ("big.json", b" " * (17 << 20), "big.json has 17 MB, at most 16 MB"),
        ("sheet.xlsx", "no sheet", "sheet.xlsx: workbook"),
        ("note.bin", "x", "note.bin: csv, http, json, xlsx, xml or wsdl"),
    ],
)
def test_what_cannot_be_begun_with_is_refused_by_its_name(
    tmp_path: Path, file: str, content: str | bytes, told: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        begun(tmp_path, "parks", sample(tmp_path, file, content))

    assert str(refused.value).startswith(told)
    assert list((tmp_path / "into").iterdir()) == []


@pytest.mark.parametrize("name", ["园林", "../parks", "a/b", "a b", "", "1st", "__init__", "parks\n"])
def test_a_name_that_can_be_no_folder_and_no_address_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Misconfigured, match="letters, digits and _ only"):
        begun(tmp_path, name, sample(tmp_path, "parks.http", REQUEST))


def test_a_new_sample_becomes_one_that_is_held(tmp_path: Path) -> None:
    folder = begun(tmp_path, "parks", sample(tmp_path, "parks.http", REQUEST))
    other = folder / "samples" / "push.other.in.json"
    other.write_text(json.dumps({"orderId": "YL2", "content": "草坪"}, ensure_ascii=False), encoding="utf-8")
    around = {"headers": {"x-park-token": "demo-token"}}
    (folder / "samples" / "push.other.around.json").write_text(json.dumps(around), encoding="utf-8")
    assert adapters.check(folder) != []

    keep_golden(str(folder), other, None)

    assert adapters.check(folder) == []
    with pytest.raises(Misconfigured, match=r"samples/<door>\.<what>\.in"):
        keep_golden(str(folder), tmp_path / "parks.http", None)
