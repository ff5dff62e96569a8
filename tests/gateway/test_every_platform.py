"""Every shipped platform beside its own simulator, over real sockets: its words become cases, the books balance."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import adapters
from gateway.configuration import Configuration, ConnectedSystem
from simulators import Behaviour, Setup, running
from tests.connectors.servers.mosquitto import PASSWORD, USERNAME, Mosquitto, mosquitto
from tests.gateway.conftest import StartHub
from tests.gateway.running import SECRET, STILL, HubUnderTest, Side, until
from tests.ports import find_port


@dataclass(frozen=True)
class Platform:
    """How one platform and its simulator are brought together. `{...}` in options is filled in by the test."""

    name: str
    """Of the adapter."""
    happen: tuple[str, ...]
    """What the simulator lets happen; nothing: `emit`."""
    options: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    simulator: str = ""
    cases: int = 1
    """At least so many cases come of it."""
    receivers: tuple[str, ...] = ()
    """Receivers that have an address of their own here; the others of the declaration are left out."""


DEVICE = "34020200005030000001"
PLATFORMS = (
    Platform("lifeline", ("order", "two_scenes", "no_limit"), cases=3),
    Platform("iot_platform", ("smoke", "level", "binary", "offline"), options={"every": "0.2", "lasts": "1"}),
    Platform(
        "sensors", ("flood", "manhole", "gateway", "message"),
        options={"broker": "{broker}", "every": "0.2", "lasts": "1"},
        secrets={"username": USERNAME, "password": PASSWORD},
    ),
    Platform(
        "video_platform", ("intrusion", "parking"), options={"key": "AK"}, secrets={"key": "AK", "secret": SECRET},
        cases=2,
    ),
    Platform(
        "image_database", ("vehicle",), options={"user": "hub"},
        secrets={
            "user": "hub", "password": SECRET, "device": DEVICE, "subscription": "340202000000032026031609120000001",
            "resource": "34020200001190000001", "applicant": "示例用户", "applicant_org": "示例单位",
        },
    ),
    Platform("patrol_app", (), options={"offline": "0"}, secrets={"token": SECRET}, cases=2),
    Platform("work_safety", (), options={"account": "hub"}, secrets={"account": "hub", "password": SECRET}, cases=2),
    Platform("fire_alarms", ("fire", "test"), options={"every": "0.3"}, secrets={"secret": SECRET}),
    Platform("public_opinion", ("article",), secrets={"app_key": "gridhub", "app_secret": SECRET}),
    Platform("utility_usage", ("day",), options={"folder": "{folder}", "alerts": "1"}, receivers=("usage_files",)),
    Platform(
        "open311_server", (), simulator="open311",
        options={"mode": "client", "format": "json"}, secrets={"api_key": SECRET}, cases=2,
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def broker() -> Iterator[Mosquitto]:
    with mosquitto(find_port) as started:
        yield started


def connected(platform: Platform, url: str, hub_url: str, places: Mapping[str, str]) -> ConnectedSystem:
    folder = adapters.shipped()[platform.name]
    system = adapters.load(folder, platform.secrets, name=platform.name, hub_url=hub_url)
    if platform.receivers:
        kept = tuple(one for one in system.receivers if one.name in platform.receivers)
        system = replace(system, receivers=kept)
    urls = dict.fromkeys(platform.receivers, places["folder_url"])
    address = places["broker"] if platform.name == "sensors" else url
    return ConnectedSystem(
        system=system, url=address, every=0.3, concurrency=2, paused=False, folder=folder, urls=urls
    )  # fmt: skip


def of(platform: Platform, hub: HubUnderTest) -> list[str]:
    rows = hub.rows("SELECT DISTINCT case_id FROM binding WHERE system = $1 AND case_id IS NOT NULL", platform.name)
    return [str(row["case_id"]) for row in rows]


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_what_a_platform_tells_becomes_cases(
    platform: Platform, start_hub: StartHub, configuration: Configuration, broker: Mosquitto, tmp_path: Path
) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    hub_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    places = {"broker": broker.url, "folder": str(drop), "folder_url": f"file://{drop}", "hub": hub_url}
    account = f"mqtt://{USERNAME}:{PASSWORD}@{broker.url.partition('://')[2]}"
    filled = {key: value.format(**{**places, "broker": account}) for key, value in platform.options.items()}
    with ExitStack() as stack:
        setup = Setup(hub_url, SECRET, 7, Behaviour().changed(STILL), quiet=True, timeout=30, options=filled)
        side = Side(stack.enter_context(running(platform.simulator or platform.name, setup)))
        stack.enter_context(side.client)
        one = connected(platform, side.url, hub_url, places)
        roles = {name: other.system.role for name, other in configuration.systems.items()} | {
            one.system.role.id: one.system.role
        }
        city = replace(configuration.city, systems=roles)
        loaded = Configuration(city, {platform.name: one})
        hub = start_hub(loaded=loaded, worker=True, listener=listener)
        stack.callback(hub.close)
        ready(platform, side)

        let_happen(platform, side)

        def there() -> bool:
            if platform.name == "sensors":  # what is published before the hub listens for the first time is nobody's
                let_happen(platform, side)
            return len(of(platform, hub)) >= platform.cases

        until(there, seconds=40, what=f"cases of {platform.name}")
        assert set(hub.orphans().values()) == {0}
        refused = hub.rows("SELECT why, text, kind FROM message WHERE direction = 'in' AND verdict = 'refused'")
        assert [dict(row) for row in refused] == []


def ready(platform: Platform, side: Side) -> None:
    """Wait for what must be said before anything flows."""
    waits: dict[str, Any] = {
        "video_platform": lambda: side.client.get("/_sim/subscriptions").json(),
        "image_database": lambda: side.summary().get("subscribed"),
    }
    if platform.name in waits:
        until(waits[platform.name], seconds=30, what="the subscription")


def let_happen(platform: Platform, side: Side) -> None:
    for kind in platform.happen:
        answer = side.client.post("/_sim/happen", json={"kind": kind})
        assert answer.status_code == 200, answer.text
    if not platform.happen:
        side.emit(max(platform.cases, 2))
