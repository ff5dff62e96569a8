"""/console/ over a real socket: files with their headers, addresses inside the page; and where nothing was built."""

import gzip
import http.client
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from gateway.console import door, folder
from gateway.console.door import ConsoleDoor
from gateway.wire import Receive, Scope, Send
from tests.gateway.running import HubUnderTest, Loop, until

PAGE = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SCRIPT = b"export const city = '\xe8\x8a\x9c\xe6\xb9\x96'\n" * 100
PLAIN = {"accept-encoding": "identity"}


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A console as the build leaves it."""
    made = tmp_path / "dist"
    (made / "assets").mkdir(parents=True)
    (made / ".vite").mkdir()
    (made / "index.html").write_text("<!doctype html><title>first</title>", encoding="utf-8")
    (made / "assets" / "index-abc.js").write_bytes(SCRIPT)
    (made / "assets" / "index-abc.js.gz").write_bytes(gzip.compress(SCRIPT))
    (made / "assets" / "index-abc.js.br").write_bytes(b"brotli")
    (made / ".vite" / "manifest.json").write_text("{}")
    (tmp_path / "secret.txt").write_text("not for the world")
    return made


@pytest.fixture
def console(built: Path) -> Iterator[httpx.Client]:
    """The door alone on a socket, with that console."""
    yield from served(ConsoleDoor(built))


def served(console: ConsoleDoor) -> Iterator[httpx.Client]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert console.serves(scope)
        await console(scope, send)

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))

    async def main(_: Loop) -> None:
        await server.serve()

    loop = Loop(main, "console")
    until(lambda: server.started, what="the start")
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, headers=PAGE | PLAIN) as client:
        yield client
    server.should_exit = True
    loop.join()


def test_the_page_is_asked_for_each_time_and_its_parts_are_kept_for_ever(console: httpx.Client) -> None:
    page, part = console.get("/console/"), console.get("/console/assets/index-abc.js")

    assert (page.headers["content-type"], page.headers["cache-control"]) == ("text/html; charset=utf-8", "no-cache")
    assert part.headers["content-type"] == "text/javascript; charset=utf-8"
    assert part.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert part.content == SCRIPT


@pytest.mark.parametrize("path", ["/console/", "/console/assets/index-abc.js", "/console/assets/gone.js"])
def test_every_answer_keeps_other_hosts_out(console: httpx.Client, path: str) -> None:
    headers = console.get(path).headers

    rules = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert (rules["default-src"], rules["frame-ancestors"], rules["base-uri"]) == ("'self'", "'none'", "'none'")
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "same-origin")


@pytest.mark.parametrize(
    ("accepted", "coding", "body"),
    [
        ("gzip, deflate, br", "br", b"brotli"),
        ("gzip", "gzip", SCRIPT),
        ("br;q=0, gzip;q=0.5", "gzip", SCRIPT),
        ("deflate", None, SCRIPT),
    ],
)
def test_what_was_compressed_at_the_build_goes_to_those_who_take_it(
    console: httpx.Client, accepted: str, coding: str | None, body: bytes
) -> None:
    with console.stream("GET", "/console/assets/index-abc.js", headers={"accept-encoding": accepted}) as answer:
        raw = b"".join(answer.iter_raw())

    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["vary"] == "accept-encoding"
    assert (gzip.decompress(raw) if coding == "gzip" else raw) == body


def test_what_a_browser_has_is_not_sent_again(console: httpx.Client) -> None:
    etag = console.get("/console/").headers["etag"]

    again = console.get("/console/", headers={"if-none-match": f'"other", W/{etag}'})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert console.get("/console/", headers={"if-none-match": '"other"'}).status_code == 200


def test_a_head_has_the_length_and_no_body(console: httpx.Client) -> None:
    head = console.head("/console/assets/index-abc.js")

    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(SCRIPT)))


@pytest.mark.parametrize("path", ["/console/cases/230000352", "/console/cases?q=230000352", "/console/no-such.page"])
def test_an_address_inside_the_page_is_the_page(console: httpx.Client, path: str) -> None:
    assert "<title>first" in console.get(path).text


def test_a_missing_part_is_missing_and_no_page(console: httpx.Client) -> None:
    gone = console.get("/console/assets/gone.js")
    asked_by_script = console.get("/console/cases/1", headers={"accept": "application/json"})

    assert (gone.status_code, asked_by_script.status_code) == (404, 404)
    assert gone.json()["error"]["code"] == "unknown_file"


@pytest.mark.parametrize(
    "path", ["/console/../secret.txt", "/console/%2e%2e/secret.txt", "/console/.vite/manifest.json"]
)
def test_nothing_outside_the_folder_and_nothing_hidden_is_served(console: httpx.Client, path: str) -> None:
    raw = http.client.HTTPConnection("127.0.0.1", console.base_url.port)  # httpx would tidy the path
    raw.request("GET", path, headers={"accept": "*/*"})
    answer = raw.getresponse()

    assert (answer.status, b"not for" in answer.read()) == (404, False)
    raw.close()


def test_only_looking_is_allowed(console: httpx.Client) -> None:
    assert (console.post("/console/").status_code, console.post("/console/").headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/", "/console"])
def test_a_browser_is_led_to_the_console(console: httpx.Client, path: str) -> None:
    answer = console.get(path)

    assert (answer.status_code, answer.headers["location"]) == (307, "/console/")


def test_a_console_that_is_built_anew_is_served_anew(console: httpx.Client, built: Path) -> None:
    console.get("/console/")
    (built / "assets" / "index-def.js").write_bytes(b"new")
    page = built / "index.html"
    page.write_text("<!doctype html><title>second</title>", encoding="utf-8")
    os.utime(page, ns=(1, 1))

    assert "second" in console.get("/console/").text
    assert console.get("/console/assets/index-def.js").content == b"new"


def test_without_a_console_the_hub_works_and_says_in_both_languages_what_to_do(
    hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "built", lambda: None)
    page = hub.client.get("/console/", headers=PAGE)

    assert page.status_code == 404
    assert all(word in page.text for word in ("Node.js 20.19", "make console", "控制台尚未安装", "is not installed"))
    assert hub.client.get("/api/health").json()["status"] == "ok"


def test_machines_at_the_root_are_not_led_to_a_page(hub: HubUnderTest) -> None:
    assert hub.client.get("/", headers={"accept": "application/json"}).status_code == 404
    assert hub.client.get("/", headers=PAGE).headers["location"] == "/console/"


def test_the_built_console_is_found_beside_the_sources_before_the_packaged_one() -> None:
    found = folder.built()

    assert found is None or found == Path(folder.__file__).parents[2] / "console" / "dist"
