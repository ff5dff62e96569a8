"""A city in which units on three platforms and one without any are called to help, and time that a test lets pass."""

import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from canonical.time import SHANGHAI
from gateway.configuration import load
from gateway.settings import Settings, example_city
from simulators import Behaviour, Setup, running
from simulators.urban_management import soap
from tests.gateway.running import CENTRE_SECRET, ENVIRONMENT, SECRET, STILL, HubUnderTest, Side, connected

STREET, TRAFFIC, COUNTY, MARKET = "340202017-office", "3402-traffic", "county-311", "3402-market"
"""Called units: on the social governance platform, the urban management platform, an Open311 platform, and on none."""
LIGHTING = "3402-lighting"
"""Leads in what is about street lamps, on the urban management platform."""
BEGIN = datetime(2026, 10, 14, 9, 0, tzinfo=SHANGHAI)
"""A Wednesday morning in working time."""
_SYSTEM = "county_311:\n  adapter: open311_client\n  url: ${COUNTY_URL}\n  secrets:\n    api_key: ${COUNTY_KEY}\n"
_UNIT = f"{COUNTY},镜湖区市民服务平台,district,340202,3402-command,county_311,,,,\n"
VARIABLES = ENVIRONMENT | {"COUNTY_URL": "http://127.0.0.1:9", "COUNTY_KEY": SECRET}


class Hours:
    """A clock that goes on by itself from a Wednesday morning, and is put forward."""

    def __init__(self) -> None:
        self._since, self._forward = time.monotonic(), timedelta()

    def now(self) -> datetime:
        """In Shanghai."""
        return BEGIN + self._forward + timedelta(seconds=time.monotonic() - self._since)

    def forward(self, **span: float) -> None:
        """Let so much time pass at once."""
        self._forward += timedelta(**span)


@dataclass(frozen=True, slots=True)
class JointCity:
    """The hub and four platforms on sockets, all by one clock."""

    hub: HubUnderTest
    hours: Hours
    folder: Path
    hotline: Side
    urban: Side
    grid: Side
    county: Side

    def says(self, reference: str, status: str, reason: str) -> str:
        """What the hub's SOAP door answers when the urban management platform tells a status by our reference."""
        values = {"caseguid": reference, "status": status, "reason": reason, "ValidateData": SECRET}
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{soap.NAMESPACE}{soap.STATUS.name}"'}
        body = soap.called(soap.STATUS, values)
        answer = self.hub.client.post("/in/urban_management", content=body, headers=headers)
        return str(soap.result_of(answer.content, soap.STATUS))

    def whistle(self, number: str, *units: str, **fields: Any) -> list[dict[str, Any]]:
        """These units are called for the street; the parts of the case."""
        for unit in units:
            self.hub.act(number, kind="whistle", unit=unit, reason="请到场会商", by=STREET, **fields)
        parts: list[dict[str, Any]] = self.hub.case(number)["assignments"]
        return parts


def city_folder(folder: Path) -> Path:
    """The example city with one more platform and the unit on it: a row and five lines."""
    shutil.copytree(example_city(), folder)
    for name, more in (("systems.yaml", _SYSTEM), ("units.csv", _UNIT)):
        with (folder / name).open("a", encoding="utf-8") as table:
            table.write(more)
    return folder


@contextmanager
def joint_city(database_url: str, folder: Path, seed: int) -> Iterator[JointCity]:
    """Up for as long as the block lasts. The urban management platform says nothing by itself: the test does."""
    hours, listener = Hours(), socket.create_server(("127.0.0.1", 0), backlog=1024)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with ExitStack() as stack:
        sides = {}
        for name in ("hotline_12345", "urban_management", "social_governance", "open311"):
            behaviour = Behaviour().changed(STILL | ({"pace": 3600} if name == "urban_management" else {}))
            setup = Setup(address, SECRET, seed, behaviour, quiet=True, timeout=30, clock=hours.now)
            sides[name] = Side(stack.enter_context(running(name, setup)))
            stack.enter_context(sides[name].client)
        urls = {name: side.url for name, side in sides.items()}
        urls["county_311"] = urls.pop("open311") + "/open311/v2"
        settings = Settings(folder, database_url, CENTRE_SECRET, folder.parent / "files", VARIABLES)
        loaded = connected(load(folder, VARIABLES), urls, every=0.3)
        hub = HubUnderTest(settings, loaded, database_url, listener)
        hub.now = hours.now
        stack.callback(hub.close)
        hub.open_doors()
        hub.start_worker()
        yield JointCity(hub, hours, folder, *sides.values())
