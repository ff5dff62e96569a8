"""The door of the maps: who is let in, what a service is told, and that nothing a client sends is a failure of ours."""

import base64
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from canonical.errors import Misconfigured
from canonical.findings import Finding
from gateway.hub import clock
from gateway.maps.app import configured
from gateway.maps.door import MapDoor, Service
from gateway.maps.file import CENTRE, MapSettings, read_maps
from gateway.settings import Settings, example_city
from maps.contact import Contact
from maps.request import Answer, Request
from storage.driver import DatabaseAway
from tests.gateway.maps_room import SETTINGS, TOKENS, served


def echo(request: Request) -> Answer:
    """What a service was told."""
    told = {
        "scope": request.scope.name, "path": request.path, "pairs": [list(pair) for pair in request.pairs],
        "url": request.url, "method": request.method, "body": request.body.decode(), "accept": request.accept,
    }  # fmt: skip
    return Answer("application/json", json.dumps(told).encode(), headers={"x-seen": "yes"})


def parts(_: Request) -> Answer:
    """A long answer."""
    return Answer("text/plain", (f"{number}\n".encode() for number in range(5000)))


def tagged(_: Request) -> Answer:
    """An answer that a client may keep."""
    return Answer("text/plain", b"tile", headers={"etag": '"1"'})


def away(_: Request) -> Answer:
    raise DatabaseAway("the database does not answer")


def broken(_: Request) -> Answer:
    raise ZeroDivisionError("13800000777")


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    services = {"echo": echo, "parts": parts, "tagged": tagged, "away": away, "broken": broken}
    settings = replace(SETTINGS, origins=frozenset({"https://portal.example"}))
    with client_of(settings, services) as made:
        yield made


@contextmanager
def client_of(settings: MapSettings, services: Mapping[str, Service]) -> Iterator[httpx.Client]:
    """A client of a door with these services, on a socket."""
    with (
        served(lambda: MapDoor(settings, services, clock, anyio.CapacityLimiter(2)), lifespan="off") as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as made,
    ):
        yield made


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"qgis:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("headers", "query", "scope"),
    [
        ({}, "", "public"),
        ({"authorization": f"Bearer {TOKENS[CENTRE]}"}, "", CENTRE),
        ({"authorization": basic(TOKENS["jinghu"])}, "", "jinghu"),
        ({}, f"?token={TOKENS['jinghu']}", "jinghu"),
        ({}, f"?TK={TOKENS[CENTRE]}", CENTRE),
    ],
)
def test_a_token_opens_its_scope_however_it_is_shown(
    client: httpx.Client, headers: dict[str, str], query: str, scope: str
) -> None:
    answer = client.get(f"/ogc/echo{query}", headers=headers)

    assert (answer.status_code, answer.json()["scope"]) == (200, scope)
    assert answer.json()["pairs"] == []


@pytest.mark.parametrize(
    "headers", [{"authorization": "Bearer wrong"}, {"authorization": basic("wrong")}, {"authorization": "Basic %%%"}]
)
def test_a_wrong_token_is_not_the_public(client: httpx.Client, headers: dict[str, str]) -> None:
    answer = client.get("/ogc/echo", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic realm=")


def test_without_a_public_scope_nobody_is_let_in_without_a_token() -> None:
    closed = replace(SETTINGS, scopes={CENTRE: SETTINGS.scopes[CENTRE]}, tokens={CENTRE: ""})
    with client_of(closed, {"echo": echo}) as client:
        assert client.get("/ogc/echo").status_code == 401
        assert client.get("/ogc/echo", headers={"authorization": basic("")}).status_code == 401


def test_a_service_is_told_what_was_asked(client: httpx.Client) -> None:
    path = "/ogc/echo/collections/cases?bbox=1,2&BBOX=%E5%9F%8E"
    answer = client.post(path, content=b"<a/>", headers={"host": "maps.example:8090"})

    told = answer.json()
    assert told["path"] == "/collections/cases"
    assert told["pairs"] == [["bbox", "1,2"], ["BBOX", "城"]]
    assert (told["method"], told["body"], told["url"]) == ("POST", "<a/>", "http://maps.example:8090/ogc/echo")
    assert answer.headers["x-seen"] == "yes"
    forged = client.get("/ogc/echo", headers={"host": 'evil"><script>'})
    assert forged.json()["url"] == "http://localhost/ogc/echo"


def test_what_a_client_has_is_not_sent_again(client: httpx.Client) -> None:
    first = client.get("/ogc/tagged")
    again = client.get("/ogc/tagged", headers={"if-none-match": f'"other", {first.headers["etag"]}'})
    other = client.get("/ogc/tagged", headers={"if-none-match": '"other"'})

    assert (first.status_code, first.text) == (200, "tile")
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert (other.status_code, other.text) == (200, "tile")


def test_long_answers_come_in_parts_and_head_has_none(client: httpx.Client) -> None:
    assert client.get("/ogc/parts").text.splitlines() == [f"{number}" for number in range(5000)]
    head = client.head("/ogc/echo")
    assert (head.status_code, head.content, head.headers["x-seen"]) == (200, b"", "yes")


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "/ogc/nothing", b"", 404),
        ("GET", "/ogc/", b"", 404),
        ("DELETE", "/ogc/echo", b"", 405),
        ("GET", "/ogc/echo?" + "a=1&" * 600, b"", 400),
        ("GET", "/ogc/echo?a=" + "x" * 40_000, b"", 414),
        ("POST", "/ogc/echo", b"x" * 1_100_000, 413),
        ("GET", "/ogc/away", b"", 503),
    ],
)
def test_what_cannot_be_answered_says_why(
    client: httpx.Client, method: str, path: str, content: bytes, status: int
) -> None:
    answer = client.request(method, path, content=content)

    assert (answer.status_code, bool(answer.json()["error"]["text"])) == (status, True)


def test_a_failure_of_ours_is_one_and_tells_nothing(client: httpx.Client) -> None:
    answer = client.get("/ogc/broken")

    assert answer.status_code == 500
    assert "13800000777" not in answer.text


def test_pages_of_the_named_hosts_may_ask_from_a_browser(client: httpx.Client) -> None:
    def allowed(answer: httpx.Response) -> str | None:
        said: str | None = answer.headers.get("access-control-allow-origin")
        return said

    portal = {"origin": "https://portal.example"}
    assert allowed(client.get("/ogc/echo", headers=portal)) == "https://portal.example"
    assert client.get("/ogc/echo", headers=portal).headers["vary"] == "authorization, cookie, origin"
    assert allowed(client.get("/ogc/echo", headers={"origin": "https://other.example"})) is None
    flight = client.options("/ogc/echo", headers=portal)
    assert (flight.status_code, allowed(flight)) == (204, "https://portal.example")
    assert "Authorization" in flight.headers["access-control-allow-headers"]


def read(folder: Path, text: str) -> tuple[Any, list[str]]:
    (folder / "maps.yaml").write_text(text, encoding="utf-8")
    findings: list[Finding] = []
    told = read_maps(folder, "maps.yaml", "centre-token", lambda _f, _k, text, _l: text.strip("${}").lower(), findings)
    return told, [str(one) for one in findings]


def test_the_file_says_who_may_see_what(tmp_path: Path) -> None:
    told, findings = read(
        tmp_path,
        "title: 芜湖市网格一张图\nscopes:\n  public: {layers: [cases]}\n"
        '  jinghu: {token: "${JINGHU}", areas: ["340202"], texts: true}\nlimits: {features: 10}\n'
        "contact: {organisation: 城运中心, email: maps@city.example}\n",
    )

    assert findings == []
    assert told.scope_of("").public
    assert not told.scope_of("").admits("grids")
    assert (told.scope_of("jinghu").areas, told.scope_of("jinghu").texts) == (("340202",), True)
    assert told.scope_of("centre-token").name == CENTRE
    assert told.scope_of("other") is None
    assert (told.limits.features, told.title) == (10, "芜湖市网格一张图")
    assert told.contact == Contact("城运中心", email="maps@city.example")
    assert "centre-token" not in repr(told)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('scopes:\n  public: {token: "${A}"}\n', "the public has no token"),
        ("scopes:\n  public: {texts: true}\n", "reads no texts"),
        ("scopes:\n  jinghu: {areas: []}\n", "missing: write"),
        ('scopes:\n  a: {token: "${X}"}\n  b: {token: "${X}"}\n', "one token for several scopes"),
        ("url: maps.example\n", "String should match"),
        ("limits: {pixels: 1}\n", "greater than or equal"),
        ("contact: {email: nobody}\n", "String should match"),
    ],
)
def test_what_is_wrong_with_the_file_is_told(tmp_path: Path, text: str, said: str) -> None:
    assert any(said in one for one in read(tmp_path, text)[1])


def test_the_map_needs_its_own_tokens_and_nobody_elses_secrets(tmp_path: Path) -> None:
    copy = tmp_path / "city"
    shutil.copytree(example_city(), copy)
    told = Settings(copy, environment={})
    assert configured(told).maps.scope_of("") is not None

    (copy / "maps.yaml").write_text('scopes:\n  jinghu: {token: "${MAPS_JINGHU_TOKEN}"}\n', encoding="utf-8")
    with pytest.raises(Misconfigured, match="MAPS_JINGHU_TOKEN is not set"):
        configured(told)
    assert configured(Settings(copy, environment={"MAPS_JINGHU_TOKEN": "x"})).maps.scope_of("x") is not None
