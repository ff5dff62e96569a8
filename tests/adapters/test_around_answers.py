"""What stands around an answer: a token in a cookie, an id in Location, the next page in Link or in an address."""

import json
from collections.abc import Callable
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import adapters
from adapters import System
from canonical.errors import InDoubt, Unauthenticated, Unavailable
from canonical.message import Message
from tests.adapters.systems import ID, NOW

FILES = {
    "system.yaml": """\
title: 样板平台
edition: "1"
roles: [source, owner]
crs: EPSG:4490
connector: {{protocol: http}}
answers:
  any:
    shape: [json]
    rows:
      - {{http: "201", then: accepted, external_id: {{from: $headers.location, match: "/([^/?]+)$"}}}}
      - {{when: {{$headers.x-busy: "1"}}, then: unavailable}}
      - {{when: "doc['$status'] == 202 && doc.state == 'queued'", then: accepted, external_id: {{from: ticket}}}}
      - {{http: 2xx, then: accepted, external_id: {{from: id}}}}
sign_in: {{message: ask, {sign_in}}}
pulls:
  p: {{every: 60, ask: ask, items: {items}, messages: [m], {pull}}}
""",
    "messages/ask.yaml": "direction: ask\ntitle: 问\npath: {from: pull.cursor, default: /cases}\nanswer: any\n",
    "messages/m.yaml": "direction: in\ntitle: 上报\ncontract: any.schema.json\nexternal_id: {from: id}\nnoted: true\n",
    "contract/any.schema.json": "{}",
}
Make = Callable[..., System]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def loaded(*, sign_in: str = "token: token", pull: str = "", items: str = ".") -> System:
        for name, text in FILES.items():
            path = tmp_path / "sample" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            written = text.format(sign_in=sign_in, pull=pull, items=items) if name == "system.yaml" else text
            path.write_text(written, encoding="utf-8")
        return adapters.load(tmp_path / "sample", {})

    return loaded


def answer(body: object = None, status: int = 200, **headers: str) -> Message:
    raw = b"" if body is None else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Message(
        system="sample", body=raw, at=NOW, id=ID, door="ask", content_type="application/json", status=status,
        headers=named,
    )  # fmt: skip


def ids() -> UUID:
    return ID


def test_an_id_may_stand_in_a_header_of_an_answer_without_a_body(make: Make) -> None:
    given = make().judge("ask", answer(status=201, location="https://x.example/api/cases/c-77?v=1"))

    assert given.external_id == ""  # the address ends in a query, which this rule does not take
    assert make().judge("ask", answer(status=201, location="/api/cases/c-77")).external_id == "c-77"


def test_rows_may_look_at_headers_and_status(make: Make) -> None:
    with pytest.raises(Unavailable):
        make().judge("ask", answer({"id": 1}, x_busy="1"))

    assert make().judge("ask", answer({"state": "queued", "ticket": "t1", "id": "i1"}, 202)).external_id == "t1"
    assert make().judge("ask", answer({"state": "done", "ticket": "t1", "id": "i1"}, 202)).external_id == "i1"


def test_an_answer_that_lost_its_body_stays_in_doubt(make: Make) -> None:
    with pytest.raises(InDoubt):
        make().judge("ask", answer(status=200))

    assert make().judge("ask", answer(status=200, content_length="0")).external_id == ""
    assert make().judge("ask", answer(status=204)).external_id == ""


def test_a_token_may_stand_in_a_cookie(make: Make) -> None:
    system = make(sign_in='token: {from: $headers.set-cookie, match: "JSESSIONID=([^;]+)"}, lifetime: 1800')

    token = system.token(answer({"ok": True}, set_cookie="lang=zh; Path=/, JSESSIONID=ab12; HttpOnly"))

    assert (token.value, token.seconds) == ("ab12", 1800)
    with pytest.raises(Unauthenticated):
        system.token(answer({"ok": True}, set_cookie="lang=zh"))


@pytest.mark.parametrize(("ahead", "seconds"), [(3600, 3600), (-5, 0)])
def test_a_token_may_tell_when_it_ends(make: Make, ahead: int, seconds: int) -> None:
    system = make(sign_in='token: token, expires_at: {from: until, time: "yyyy-MM-dd HH:mm:ss"}')
    until = (NOW + timedelta(seconds=ahead)).astimezone(UTC) + timedelta(hours=8)

    assert system.token(answer({"token": "t", "until": f"{until:%Y-%m-%d %H:%M:%S}"})).seconds == seconds


LINK = '<https://x.example/cases?page=3>; rel="next", <https://x.example/cases?page=9>; rel="last"'


@pytest.mark.parametrize(
    ("pull", "items", "body", "headers", "cursor"),
    [
        ("cursor: next", "rows", {"rows": [{"id": 1}], "next": "/cases?after=1"}, {}, "/cases?after=1"),
        (
            "cursor: {expr: \"doc['@odata.nextLink'].split('example')[1]\"}",
            "value",
            {"value": [{"id": 1}], "@odata.nextLink": "https://x.example/cases?$skip=1"},
            {},
            "/cases?$skip=1",
        ),
        (
            "cursor: {from: $headers.link, match: '<https?://[^/>]+(/[^>]*)>; *rel=\"?next'}",
            ".",
            [{"id": 1}],
            {"link": LINK},
            "/cases?page=3",
        ),
    ],
)
def test_the_next_page_may_stand_anywhere(
    make: Make, pull: str, items: str, body: Any, headers: dict[str, str], cursor: str
) -> None:
    system = make(pull=pull, items=items)

    page = system.page("p", answer(body, 200, **headers), now=NOW, ids=ids)
    asked = system.ask("p", since=NOW, until=NOW, page=2, now=NOW, id=ID, cursor=page.cursor)

    assert (page.more, page.cursor, [item.body for item in page.items]) == (True, cursor, [b'{"id":1}'])
    assert asked.path == cursor
    last = system.page("p", answer([] if isinstance(body, list) else {items: []}), now=NOW, ids=ids)
    assert (last.more, last.cursor) == (False, "")


def test_whether_more_follows_may_be_a_rule(make: Make) -> None:
    system = make(pull="more: {expr: \"doc.page < doc.pages ? 'yes' : 'no'\"}", items="rows")

    for number, more in ((1, True), (2, False)):
        page = system.page("p", answer({"rows": [{"id": 1}], "page": number, "pages": 2}), now=NOW, ids=ids)
        assert page.more is more
