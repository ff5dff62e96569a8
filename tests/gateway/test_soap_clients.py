"""A SOAP client that knows nothing but the address of our WSDL."""

from typing import Any

import httpx
import pytest
import requests
import zeep
from lxml import etree

from tests.gateway.running import SECRET, HubUnderTest

DOOR = "/in/urban_management"


def client(hub: HubUnderTest) -> Any:
    session = requests.Session()
    session.trust_env = False
    untyped: Any = zeep
    return untyped.Client(f"{hub.url}{DOOR}?wsdl", transport=untyped.Transport(session=session, timeout=10))


def test_a_client_made_from_our_wsdl_calls_us_where_it_says(hub: HubUnderTest) -> None:
    said = client(hub).service.FNZF_BH_CityManage(ValidateData=SECRET, caseguid="00000000-none", status="A", reason="")

    assert said.startswith("没有对应的案件")


def locations(body: bytes) -> set[str]:
    return {node.get("location", "") for node in etree.fromstring(body).iter("{*}address")}


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("hub.city.example:8443", "http://hub.city.example:8443"),
        ("[::1]:8080", "http://[::1]:8080"),
        ('x"><evil', None),
        ("", None),
    ],
)
def test_the_address_is_the_one_it_was_asked_at(hub: HubUnderTest, host: str, wanted: str | None) -> None:
    answer = httpx.get(f"{hub.url}{DOOR}?WSDL", headers={"host": host}, trust_env=False)

    if wanted:
        assert locations(answer.content) == {f"{wanted}{DOOR}"}
    else:
        assert answer.status_code >= 400 or "evil" not in answer.text


@pytest.mark.parametrize("query", ["xsd=system.yaml", "xsd=..%2F..%2Fsystem.yaml", "wsd", "xsd="])
def test_a_door_serves_nothing_but_its_wsdl(hub: HubUnderTest, query: str) -> None:
    assert httpx.get(f"{hub.url}{DOOR}?{query}", trust_env=False).status_code == 405
