"""The simulated fire alarm gateway against a door that echoes, counts and checks the signatures itself."""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

NAME = "fire_alarms"
SECRET = "a-secret-of-the-tests"
FIELDS = [
    "msgId", "deviceId", "deviceType", "eventType", "eventTime", "unitName", "buildingAddress", "loop", "address",
    "sign",
]  # fmt: skip
OPTIONS = {"door": "/api/fire", "every": "0.01"}


class Door:
    """The hub's door: echoes when the signature is right; results as it is told, then always ok."""

    def __init__(self) -> None:
        self.echoing = True
        self.queries: list[dict[str, str]] = []
        self.messages: list[dict[str, str]] = []
        self.answers: list[Response] = []

    def __call__(self, request: Request, body: bytes) -> Response:
        if request.method == "GET":
            query = dict(request.query_params)
            self.queries.append(query)
            joined = "".join(sorted([SECRET, query["timestamp"], query["nonce"]]))
            right = hashlib.sha1(joined.encode()).hexdigest() == query["signature"]
            return PlainTextResponse(query["echostr"] if right and self.echoing else "no")
        self.messages.append(json.loads(body))
        return self.answers.pop(0) if self.answers else JSONResponse({"result": "ok"})


@pytest.fixture
def door(hub: Any) -> Door:
    hub.api = Door()
    found: Door = hub.api
    return found


@pytest.fixture
def side(start: Callable[..., Any], door: Door) -> Any:
    return start(NAME, options=OPTIONS)


def happen(side: Any, kind: str) -> dict[str, str]:
    """The alarm's row once it is over."""
    id_: str = side.post("/_sim/happen", json={"kind": kind}).json()["id"]
    side.drained()
    row: dict[str, str] = side.item(id_)
    return row


def test_a_fire_repeats_while_it_lasts_and_ends_in_a_restore(side: Any, door: Door) -> None:
    row = happen(side, "fire")
    kinds = [message["eventType"] for message in door.messages]
    assert re.fullmatch(r"(fire ){2,5}restore", " ".join(kinds))
    assert len({message["msgId"] for message in door.messages}) == len(door.messages)
    fires = door.messages[:-1]
    assert len({(one["deviceId"], one["loop"], one["address"], one["eventTime"]) for one in fires}) == 1
    assert (row["state"], row["messages"]) == ("restored", str(len(kinds)))


def test_every_message_has_the_fields_and_a_right_sign(side: Any, door: Door) -> None:
    for _ in range(25):
        happen(side, "test")
    assert any(not message["loop"] for message in door.messages), "no empty field was ever signed"
    for message in door.messages:
        assert list(message) == FIELDS
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", message["eventTime"])
        filled = sorted((name, value) for name, value in message.items() if value and name != "sign")
        text = "&".join("=".join(pair) for pair in filled) + f"&key={SECRET}"
        assert message["sign"] == hashlib.md5(text.encode()).hexdigest().upper()


def test_a_self_test_is_one_message(side: Any, door: Door) -> None:
    assert happen(side, "test")["state"] == "told"
    assert [message["eventType"] for message in door.messages] == ["test"]


def test_the_handshake_comes_first_and_once(side: Any, door: Door, hub: Any) -> None:
    happen(side, "fault")
    happen(side, "shield")
    assert len(door.queries) == 1
    assert set(door.queries[0]) == {"echostr", "timestamp", "nonce", "signature"}
    assert side.post("/_sim/handshake").json() == {"shaken": True}
    assert len({query["echostr"] for query in door.queries}) == 2


def test_without_an_echo_nothing_is_sent(side: Any, door: Door) -> None:
    door.echoing = False
    assert happen(side, "fire")["state"] == "unheard"
    assert (len(door.queries), door.messages) == (4, [])
    door.echoing = True
    assert happen(side, "fire")["state"] == "restored"


@pytest.mark.parametrize("answer", [Response(status_code=500), PlainTextResponse("ok"), JSONResponse({"code": 0})])
def test_without_a_good_answer_the_same_message_comes_again(side: Any, door: Door, answer: Response) -> None:
    door.answers = [answer]
    happen(side, "test")
    assert len(door.messages) == 2
    assert door.messages[0] == door.messages[1]
    assert side.summary()["tried_again"] == 1


def test_a_refusal_is_final(side: Any, door: Door) -> None:
    door.answers = [JSONResponse({"result": "sign error"})]
    happen(side, "test")
    assert len(door.messages) == 1
    assert side.summary()["refused"] == 1


def test_an_accepted_message_may_come_twice(side: Any, door: Door) -> None:
    side.behave(repeat=1)
    happen(side, "test")
    assert door.messages[0] == door.messages[1]


def test_the_story_depends_on_the_seed(side: Any, start: Callable[..., Any]) -> None:
    other, third = start(NAME, options=OPTIONS), start(NAME, options=OPTIONS, seed=8)
    titles = []
    for one in (side, other, third):
        one.emit(8)
        one.drained()
        titles.append([item["title"] for item in one.items()])
    assert titles[0] == titles[1] != titles[2]


def test_an_unknown_kind_is_named(side: Any) -> None:
    answer = side.post("/_sim/happen", json={"kind": "flood"})
    assert (answer.status_code, answer.json()["findings"][0]["at"]) == (400, "kind")
