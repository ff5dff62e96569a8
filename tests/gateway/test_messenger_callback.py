"""A messenger's callback at a real door: greeted, taken in once, and refused when it is not its own."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx

import adapters
from gateway.configuration import Configuration, ConnectedSystem
from tests.adapters.test_framed_messages import CORP, HEAD, KEY, MESSAGE, TOKEN, XML, asked, pushed, said, sealed
from tests.gateway.running import HubUnderTest


def test_a_callback_is_greeted_and_taken_in_once(
    start_hub: Callable[..., HubUnderTest], configuration: Configuration, tmp_path: Path
) -> None:
    folder = tmp_path / "messenger"
    for name, text in {"system.yaml": HEAD + XML, "messages/m.yaml": MESSAGE, "contract/any.schema.json": "{}"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    system = adapters.load(folder, {"token": TOKEN, "aes_key": KEY, "corp": CORP})
    connected = ConnectedSystem(system=system, url="", every=None, concurrency=1, paused=False)
    roles = {**configuration.city.systems, "messenger": system.role}
    city = replace(configuration.city, systems=roles)
    hub = start_hub(loaded=replace(configuration, city=city, systems={**configuration.systems, "messenger": connected}))

    echo, encrypted = sealed("greeting+/="), sealed(said("路面积水"))
    greeted = hub.client.get(f"/in/messenger?{asked(echo, 'msg_signature', echostr=echo).partition('?')[2]}")
    answers = [_post(hub, encrypted) for _ in range(2)]
    strange = _post(hub, sealed(said("x"), corp="wx0"))

    elsewhere = hub.client.post("/in/messenger/callback", content=b"")
    assert elsewhere.status_code == 404
    assert "there is POST /in/messenger" in elsewhere.text
    assert (greeted.status_code, greeted.text) == (200, "greeting+/=")
    assert [(one.status_code, one.text) for one in answers] == [(200, "success")] * 2
    assert strange.text == ""
    verdicts = hub.rows("SELECT verdict, why FROM message ORDER BY at")
    assert [tuple(row.values()) for row in verdicts] == [
        ("case", ""), ("repeated", ""), ("refused", "unreadable"),
    ]  # fmt: skip


def _post(hub: HubUnderTest, encrypted: str) -> httpx.Response:
    message = pushed(encrypted)
    query = message.path.partition("?")[2]
    return hub.client.post(f"/in/messenger?{query}", content=message.body, headers={"content-type": "text/xml"})
