"""The hub tells when a SOAP platform's WSDL is no longer the one in its folder, and when it agrees again."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.soap import SoapConnector
from gateway.hub import clock, fresh_id
from gateway.service_watch import EVERY, FIRST, ServiceWatch, watched
from tests.connectors.test_soap_services import GREETING, Service, served
from tests.gateway.running import HubUnderTest


def looked(hub: HubUnderTest, connector: SoapConnector, looks: int = 2) -> list[float]:
    async def main() -> list[float]:
        wired = hub.wired()
        watch = ServiceWatch(wired, "urban_management", connector)
        try:
            return [await watch.round() for _ in range(looks)]
        finally:
            await wired.store.close()

    return asyncio.run(main())


def shown(hub: HubUnderTest) -> list[dict[str, Any]]:
    answer = hub.client.get("/api/systems", headers=hub.centre).json()
    [system] = [one for one in answer["items"] if one["id"] == "urban_management"]
    return [flow for flow in system["inflow"] if flow["name"] == "#wsdl" and flow["trouble"]]


def wire(url: str, path: str, wsdl: Path) -> SoapConnector:
    return SoapConnector(url, {path: wsdl}, timeout=5, ids=fresh_id, now=clock)


def test_drift_is_shown_with_the_system_until_it_is_over(hub: HubUnderTest) -> None:
    with served() as service:
        connector = wire(service.url, "/service", GREETING)
        service.answer = (404, b"")

        assert looked(hub, connector) == [FIRST, EVERY]
        assert [flow["trouble"] for flow in shown(hub)] == ["WSDL: /service: HTTP 404 instead of the WSDL"]

        service.answer = Service().answer
        looked(hub, connector)
        assert shown(hub) == []
        connector.close()


def test_a_service_that_does_not_answer_is_asked_again_soon_and_nothing_is_told(hub: HubUnderTest) -> None:
    connector = wire("http://127.0.0.1:9", "/service", GREETING)

    first, then = looked(hub, connector)

    assert first == FIRST
    assert then < EVERY
    assert shown(hub) == []


def test_the_simulated_urban_platform_serves_what_its_folder_says(start_side: Any, configuration: Any) -> None:
    platform = start_side("urban_management", "http://127.0.0.1:9")
    facts = configuration.systems["urban_management"].system.connector
    connector = SoapConnector(platform.url, facts.wsdls, timeout=5, ids=fresh_id, now=clock)

    assert httpx.get(f"{platform.url}{next(iter(facts.wsdls))}?wsdl", trust_env=False).status_code == 200
    assert connector.drift() == ""
    connector.close()


@pytest.fixture(autouse=True)
def _doors(hub: HubUnderTest) -> None:
    """Doors are open for the API."""


def test_a_platform_that_serves_no_wsdl_is_not_asked_for_it(configuration: Any) -> None:
    system = configuration.systems["urban_management"].system
    connector = wire("http://127.0.0.1:9", "/service", GREETING)

    assert watched(system, connector) is connector
    assert watched(replace(system, connector=replace(system.connector, watch=False)), connector) is None
    connector.close()
