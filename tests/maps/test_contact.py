"""Capabilities tell whom to ask and on what terms, in each standard's words, and stay valid; or they tell nothing."""

import json
from collections.abc import Callable

import pytest
from lxml import etree

from maps.contact import Contact
from maps.drawing.painter import painter_of
from maps.features.service import FeaturesService
from maps.limits import Limits
from maps.tiles.wmts import WmtsService
from maps.wfs.service import WfsService
from maps.wms.capabilities import Face
from maps.wms.service import WmsService
from tests.maps.asking import asked, body_of
from tests.maps.schemas import faults
from tests.maps.small_city import atlas
from tests.maps.test_wfs_schemas import validated

CITY = atlas()
PAINTER = painter_of(CITY)
WHOLE = Contact("城运中心 & <地图>", "值班台", "0553-0000000", "maps@city.example", "政务内部使用 & 不得转发")
CONTACTS = [Contact(), Contact("城运中心"), Contact(person="值班台"), Contact(email="maps@city.example"), WHOLE]


def wms(contact: Contact, version: str) -> bytes:
    service = WmsService(CITY, PAINTER, Limits(), Face("City", "", contact))
    return body_of(asked(service.answer, SERVICE="WMS", VERSION=version, REQUEST="GetCapabilities"))


def wfs(contact: Contact) -> bytes:
    service = WfsService(CITY, Limits(), "City", "", contact)
    return body_of(asked(service.answer, SERVICE="WFS", REQUEST="GetCapabilities"))


def wmts(contact: Contact) -> bytes:
    service = WmtsService(CITY, PAINTER, "City", "", contact)
    return body_of(asked(service.answer, SERVICE="WMTS", REQUEST="GetCapabilities"))


def words(document: bytes, *names: str) -> list[str]:
    root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True))
    return [str(root.findtext(f".//{{*}}{name}")) for name in names]


@pytest.mark.parametrize("contact", CONTACTS)
def test_capabilities_stay_valid(contact: Contact) -> None:
    assert faults(wms(contact, "1.3.0"), "wms/1.3.0/capabilities_1_3_0.xsd") == []
    assert faults(wms(contact, "1.1.1"), "wms/1.1.1/WMS_MS_Capabilities.dtd") == []
    assert faults(wmts(contact), "wmts/1.0/wmtsGetCapabilities_response.xsd") == []
    validated(wfs(contact))


@pytest.mark.parametrize("version", ["1.1.1", "1.3.0"])
def test_wms_tells_whom_to_ask(version: str) -> None:
    told = words(wms(WHOLE, version), "ContactOrganization", "ContactPerson", "ContactVoiceTelephone",
                 "ContactElectronicMailAddress", "AccessConstraints")  # fmt: skip

    assert told == [WHOLE.organisation, WHOLE.person, WHOLE.phone, WHOLE.email, f"{WHOLE.terms}; scope centre"]
    assert b"ContactInformation" not in wms(Contact(), version)


@pytest.mark.parametrize("make", [wfs, wmts])
def test_wfs_and_wmts_tell_whom_to_ask(make: Callable[[Contact], bytes]) -> None:
    names = ("ProviderName", "IndividualName", "Voice", "ElectronicMailAddress", "AccessConstraints")

    assert words(make(WHOLE), *names) == [WHOLE.organisation, WHOLE.person, WHOLE.phone, WHOLE.email, WHOLE.terms]
    assert words(make(Contact()), "ProviderName", "AccessConstraints") == ["City", "NONE"]


def test_ogc_api_tells_whom_to_ask() -> None:
    service = FeaturesService(CITY, Limits(), "City", "Grids", WHOLE)
    landing = json.loads(body_of(asked(service.answer, path="/", f="json")))
    api = json.loads(body_of(asked(service.answer, path="/api", f="json")))
    page = body_of(asked(service.answer, path="/", f="html")).decode()

    assert landing["description"] == f"Grids · 联系 Contact: {WHOLE.text} · {WHOLE.terms}"
    assert api["info"]["contact"] == {"name": "城运中心 & <地图>, 值班台, 0553-0000000", "email": WHOLE.email}
    assert "maps@city.example" in page
    assert "<地图>" not in page
