"""`gridhub simulate FOLDER`: the other side of any declared folder, as the hub meets it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

import adapters
from adapters.samples import ID, NOW, outbound_samples, written
from canonical.errors import Misconfigured
from connectors.soap import SoapConnector
from gateway.cli.main import app
from gateway.hub import clock, fresh_id
from gateway.reading import bare
from gateway.stub import Heard, Route, Stub, server

SHIPPED = adapters.shipped()
PLAYED = [name for name, folder in SHIPPED.items() if bare(folder).connector.protocol == "http"]
TOLD = [
    pytest.param(name, path, id=f"{name}/{path.name}") for name in PLAYED for path in outbound_samples(SHIPPED[name])
]
SYSTEM = """\
title: 园林平台
edition: "1"
roles: [owner]
secrets: {token: {title: 令牌}}
connector: {protocol: http}
sign_in: {message: login, token: data.token, expires_in: data.expires}
pulls:
  orders: {every: 60, page_size: 2, ask: list, items: data.rows, total: data.total, messages: [order]}
answers:
  plain:
    shape: [json]
    rows:
      - {http: 5xx, then: unavailable}
      - {when: {ret: "0"}, then: accepted, external_id: {from: data.no}}
      - {when: {ret: {present: "yes"}}, then: refused}
tells: {owner: {dispatch: dispatch}}
"""
FILES = {
    "system.yaml": SYSTEM,
    "messages/order.yaml": "direction: in\ntitle: 工单\ncontract: any.json\nexternal_id: id\n"
    "report: {title: {from: t}}\n",
    "messages/login.yaml": "direction: ask\ntitle: 登录\npath: /login\nanswer: plain\n"
    "body: {password: {secret: token}}\n",
    "messages/list.yaml": (
        "direction: ask\ntitle: 列表\nmethod: GET\npath: /orders\nquery: {p: {from: pull.page}}\n"
        "headers: {x-token: {from: session}}\nanswer: plain\n"
    ),
    "messages/dispatch.yaml": (
        "direction: out\ntitle: 派遣\nrepeat: safe\npath: {text: '/orders/{case.reference}/hand'}\n"
        "headers: {x-token: {from: session}}\nanswer: plain\ncontract: dispatch.json\n"
        "body: {content: {from: case.description}, phone: {from: case.reporter.phone}}\n"
    ),
    "contract/any.json": '{"additionalProperties": true}',
    "contract/dispatch.json": (
        '{"type": "object", "required": ["content"], "properties": {"content": {"type": "string", "minLength": 1},'
        ' "phone": {"type": ["string", "null"]}}}'
    ),
} | {f"samples/orders.n{n}.in.json": json.dumps({"id": f"N{n}", "t": f"树{n}"}) for n in range(1, 6)}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An invented platform with everything: telling, asking, signing in."""
    for name, text in FILES.items():
        path = tmp_path / "parks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "parks"


@contextmanager
def played(folder: Path) -> Iterator[tuple[str, list[Heard]]]:
    """The address of the other side, and what it heard."""
    heard: list[Heard] = []
    with server(Stub(folder, bare(folder)), "127.0.0.1", 0, heard.append) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{serving.server_address[1]}", heard
        finally:
            serving.shutdown()
            thread.join()


def sent(url: str, message: Any) -> Any:
    """The message over real HTTP, and the answer as the hub keeps it."""
    from connectors.http import HttpConnector

    with_connector = HttpConnector(url, timeout=5, ids=fresh_id, now=clock)
    try:
        return with_connector.send(message)
    finally:
        with_connector.close()


@pytest.mark.parametrize(("name", "path"), TOLD)
def test_what_any_shipped_platform_is_told_is_known_by_name_and_answered_so_that_it_counts(
    name: str, path: Path
) -> None:
    system, golden = bare(SHIPPED[name]), json.loads(path.read_text(encoding="utf-8"))
    message = written(system, golden)

    with played(SHIPPED[name]) as (url, heard):
        answer = sent(url, message)

    [told] = heard
    assert told.trouble == ""
    assert told.message in {golden["message"], *_alike(name, golden["message"])}
    if not system.files or system.files.fetch != golden["message"]:  # a file is no answer to be judged
        system.judge(golden["message"], answer)


def _alike(folder: str, message: str) -> set[str]:
    """Messages that look like this one on the wire: same path but for names in it, and no body, or the same fields."""
    routes = {route.name: route for route in Stub(SHIPPED[folder], bare(SHIPPED[folder])).routes}
    mine = routes[message]
    same = (one for one in routes.values() if one.pattern == mine.pattern)
    return {one.name for one in same if one.declared.body is None or _keys(one) == _keys(mine)}


def _keys(route: Route) -> set[str]:
    body = route.declared.body
    return set(body) if isinstance(body, dict) else set()


def test_all_pages_of_the_samples_are_served_and_end(folder: Path) -> None:
    system = bare(folder)
    numbers: list[str] = []
    with played(folder) as (url, _):
        token = system.token(sent(url, system.sign_in(NOW, ID)))
        for number in range(1, 9):
            asked = system.ask(
                "orders", since=NOW - timedelta(hours=3), until=NOW, page=number, now=NOW, id=ID, session=token.value
            )
            page = system.page("orders", sent(url, asked), now=NOW, ids=fresh_id, page=number)
            numbers += [row["id"] for row in page.rows]
            if not page.more:
                break

    assert token.seconds == 7200
    assert numbers == ["N1", "N2", "N3", "N4", "N5"]
    assert number == 3


def test_a_path_with_rules_is_a_pattern_and_a_breach_of_the_contract_is_told(folder: Path) -> None:
    with played(folder) as (url, heard):
        good = httpx.post(f"{url}/orders/A-17/hand", json={"content": "倒伏", "phone": "13800000000"}, trust_env=False)
        bad = httpx.post(f"{url}/orders/A-17/hand", json={"content": ""}, trust_env=False)
        lost = httpx.post(f"{url}/order/A-17/hand", json={}, trust_env=False)

    assert (good.status_code, bad.status_code, lost.status_code) == (200, 400, 404)
    assert good.json()["ret"] == "0"
    assert "13800000000" not in str(heard)
    assert "138****0000" in str(heard)
    assert "breaks contract/dispatch.json: content: minLength 1 is expected" in heard[1].trouble
    assert "did you mean POST /orders/{case.reference}/hand?" in heard[2].trouble


def test_secrets_that_are_sent_are_not_shown(folder: Path) -> None:
    with played(folder) as (url, heard):
        httpx.post(f"{url}/login?appKey=K-1", json={"password": "very-secret"}, trust_env=False)

    assert "very-secret" not in str(heard)
    assert "K-1" not in str(heard)


def test_a_sample_answer_in_the_folder_is_answered_as_it_stands(folder: Path) -> None:
    (folder / "samples" / "dispatch.answer.json").write_text('{"ret": 0, "data": {"no": "YL-9"}}', encoding="utf-8")

    with played(folder) as (url, _):
        answer = httpx.post(f"{url}/orders/1/hand", json={"content": "x"}, trust_env=False)

    assert answer.json() == {"ret": 0, "data": {"no": "YL-9"}}
    assert adapters.check(folder) == [] or all("golden" in str(one) for one in adapters.check(folder))


@pytest.mark.parametrize(
    "row",
    [
        '{when: "doc.code == 200", then: accepted}', '{when: "doc.code in [\'A1\', \'A2\']", then: accepted}',
        "{when: {a.b.0.c: {matches: '^OK$'}}, then: accepted}", "{when: {n: {above: 5}}, then: accepted}",
        "{when: {msg: {contains: 成功}}, then: accepted, external_id: {from: d.id}}", "{http: '201', then: accepted}",
        "{when: {$headers.x-code: '0'}, then: accepted}", '{when: "has(doc.data)", then: accepted}',
    ],
)  # fmt: skip
@pytest.mark.parametrize("shape", ["[json]", "[xml: {}]", "[json, pick: result]", "[base64, json]"])
def test_answers_are_found_for_rows_of_every_kind(folder: Path, row: str, shape: str) -> None:
    text = SYSTEM[: SYSTEM.index("sign_in:")] + (
        f"answers:\n  plain:\n    shape: {shape}\n    rows:\n      - {row}\n      - {{http: 2xx, then: refused}}\n"
        "tells: {owner: {dispatch: dispatch}}\n"
    )
    if shape.startswith("[xml"):
        row_path = text.replace("doc.", "doc.r.").replace("{a.b.0.c:", "{r.c:").replace("{n:", "{r.n:")
        text = row_path.replace("{msg:", "{r.msg:").replace("from: d.id", "from: r.d.id").replace("== 200", "== '200'")
    (folder / "system.yaml").write_text(text, encoding="utf-8")
    for name in ("login", "list"):
        (folder / "messages" / f"{name}.yaml").unlink()
    shutil.rmtree(folder / "samples")
    (folder / "messages" / "order.yaml").unlink()

    assert Stub(folder, bare(folder)).troubles() == []


def test_an_answer_that_cannot_be_found_is_asked_for_by_the_name_of_its_file(folder: Path) -> None:
    text = SYSTEM.replace('{when: {ret: "0"}', '{when: "size(doc.list) == 3 && doc.list[2].sum > doc.list[0].sum"')
    (folder / "system.yaml").write_text(text, encoding="utf-8")

    told = Stub(folder, bare(folder)).troubles()

    assert len(told) == 3
    assert any("put an answer at samples/dispatch.answer.json" in one for one in told)


def test_a_soap_platform_is_played_too() -> None:
    folder = SHIPPED["urban_management"]
    system = bare(folder)
    golden = next(
        golden
        for path in outbound_samples(folder)
        if "given" in (golden := json.loads(path.read_text(encoding="utf-8")))
    )
    with played(folder) as (url, heard):
        soap = SoapConnector(url, system.connector.wsdls, timeout=5, ids=fresh_id, now=clock)
        answer = soap.send(soap.seal(written(system, golden)))
        soap.close()

    system.judge(golden["message"], answer)
    assert heard[0].message in {golden["message"], *_alike("urban_management", golden["message"])}


@pytest.mark.parametrize("name", ["sensors", "fire_alarms"])
def test_a_platform_that_cannot_be_played_says_why(name: str) -> None:
    with pytest.raises(Misconfigured, match=r"only HTTP and SOAP|nothing that is sent"):
        Stub(SHIPPED[name], bare(SHIPPED[name]))


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[" * 9000, b"{}", b"null", b"<a", b"a=b"])
def test_any_bytes_get_an_answer(folder: Path, body: bytes) -> None:
    with played(folder) as (url, _):
        for path in ("/orders/1/hand", "/login", "/%ff?%ff=%ff", "/orders?p=x"):
            assert httpx.post(f"{url}{path}", content=body, trust_env=False).status_code < 500


def test_the_command_plays_a_folder_prints_what_came_and_lists_what_there_is(folder: Path) -> None:
    result = CliRunner().invoke(app, ["simulate", str(folder.parent)])
    assert result.exit_code == 2
    assert "folder with a system.yaml" in " ".join(result.output.replace("│", " ").split())

    with subprocess.Popen(
        [sys.executable, "-u", "-m", "gateway", "simulate", str(folder)], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=os.environ | {"COLUMNS": "80"},
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert process.stdout is not None
        url = process.stderr.readline().split()[2]
        httpx.post(f"{url}/orders/A-17/hand", json={"content": "倒伏", "phone": "13800000000"}, trust_env=False)
        process.send_signal(signal.SIGINT)
        lines = process.stdout.read().splitlines()
        assert process.wait(10) == 0

    assert lines[:3] == ["POST /orders/A-17/hand", "  dispatch 派遣 -> 200", "  ok"]
    assert '   "phone": "138****0000"' in lines


def test_messages_at_one_address_are_told_apart_by_what_is_fixed_in_them(folder: Path) -> None:
    said = "direction: out\ntitle: T\nrepeat: safe\npath: /gateway\nanswer: plain\n"
    for name in ("close", "redispatch"):
        body = f"body: {{head: {{cmd: {name.upper()}, v: 1}}, text: {{from: case.description}}}}\n"
        (folder / "messages" / f"{name}.yaml").write_text(said + body, encoding="utf-8")
    tells = "tells: {owner: {dispatch: dispatch, close: close, redispatch: redispatch}}"
    (folder / "system.yaml").write_text(SYSTEM.replace("tells: {owner: {dispatch: dispatch}}", tells), encoding="utf-8")

    with played(folder) as (url, heard):
        for cmd in ("REDISPATCH", "CLOSE"):
            httpx.post(f"{url}/gateway", json={"head": {"cmd": cmd, "v": 1}, "text": "x"}, trust_env=False)

    assert [one.message for one in heard] == ["redispatch", "close"]
