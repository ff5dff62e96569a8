"""The simulated video platform: signed subscriptions, pushes to the address in them, pictures that expire."""

import hashlib
import hmac
import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
from starlette.responses import Response

from simulators import Behaviour, Setup, running
from simulators.artemis import string_to_sign

NAME = "video_platform"
FOLDER = "video-platform-event-subscription"
SERVICE = "/artemis/api/eventService/v1/"
SUBSCRIBE, UNSUBSCRIBE = f"{SERVICE}eventSubscriptionByEventTypes", f"{SERVICE}eventUnSubscriptionByEventTypes"
SECRET = "a-secret-of-the-tests"
WUHU = ZoneInfo("Asia/Shanghai")


def signed(
    method: str, target: str, body: bytes = b"", *, secret: str = SECRET, at: datetime | None = None
) -> dict[str, str]:
    """The headers of a signed call, by the contract's recipe written out by hand."""
    moment = at or datetime.now(WUHU)
    headers = {"Accept": "*/*"}
    if body:
        headers |= {"Content-MD5": b64encode(hashlib.md5(body).digest()).decode(), "Content-Type": "application/json"}
    plain = "\n".join(headers.values())
    extra = {
        "x-ca-key": "DEMO-AK",
        "x-ca-nonce": str(uuid4()),
        "x-ca-timestamp": str(round(moment.timestamp() * 1000)),
    }
    text = f"{method}\n{plain}\n" + "".join(f"{name}:{value}\n" for name, value in extra.items()) + target
    code = b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()
    return headers | extra | {"x-ca-signature-headers": ",".join(reversed(extra)), "x-ca-signature": code}


def call(url: str, path: str, document: dict[str, Any], **how: Any) -> httpx.Response:
    body = json.dumps(document).encode()
    return httpx.post(url + path, content=body, headers=signed("POST", path, body, **how), trust_env=False)


def subscribed(start: Callable[..., Any], hub: Any, **options: str) -> Any:
    hub.api = lambda _request, _body: Response()
    side = start(NAME, options=options)
    types = [131588, 131585, 1157632005]
    answer = call(side.url, SUBSCRIBE, {"eventTypes": types, "eventDest": f"{hub.url}/api/video"})
    assert answer.json() == {"code": "0", "msg": "success", "data": None}
    return side


@pytest.fixture
def side(start: Callable[..., Any], hub: Any) -> Any:
    """The platform, with the hub subscribed to the contract's three types."""
    return subscribed(start, hub)


def pushed(hub: Any) -> list[dict[str, Any]]:
    return [json.loads(body) for path, _, body in hub.requests if path == "/api/video"]


def happen(side: Any, hub: Any, kind: str) -> list[dict[str, Any]]:
    hub.requests.clear()
    assert side.post("/_sim/happen", json={"kind": kind}).status_code == 200
    side.drained()
    return pushed(hub)


def shape(value: Any) -> Any:
    """Names and types, in order."""
    if isinstance(value, dict):
        return [(name, shape(inner)) for name, inner in value.items()]
    return [shape(value[0])] if isinstance(value, list) and value else type(value).__name__


@pytest.fixture
def worked(sample: Callable[[str, str], bytes]) -> Iterator[tuple[str, dict[str, Any], bytes]]:
    """The contract's worked example against a platform whose clock stands at its moment."""
    example = json.loads(sample(FOLDER, "index.json"))[0]
    moment = datetime.fromtimestamp(int(example["transport"]["headers"]["x-ca-timestamp"]) / 1000, WUHU)
    setup = Setup("", example["secret"], 1, Behaviour(rate=0), quiet=True, clock=lambda: moment)
    with running(NAME, setup) as up:
        yield up.url, example, sample(FOLDER, "01_subscribe_request.json")


def test_the_contracts_signature_is_taken_once(worked: tuple[str, dict[str, Any], bytes]) -> None:
    url, example, body = worked
    transport = example["transport"]
    answer = httpx.post(url + transport["path"], content=body, headers=transport["headers"], trust_env=False)
    again = httpx.post(url + transport["path"], content=body, headers=transport["headers"], trust_env=False)
    assert answer.json()["code"] == "0"
    assert (again.status_code, again.json()["msg"]) == (401, "Nonce used")


def test_the_contracts_string_to_sign_is_ours(worked: tuple[str, dict[str, Any], bytes]) -> None:
    _, example, _ = worked
    transport = example["transport"]
    headers = {name.lower(): value for name, value in transport["headers"].items()}
    assert string_to_sign("POST", transport["path"], headers) == example["string_to_sign"]


@pytest.mark.parametrize("name", ["Content-MD5", "x-ca-nonce", "x-ca-signature", "Accept", "Content-Type", "x-ca-key"])
def test_one_header_changed_breaks_the_signature(worked: tuple[str, dict[str, Any], bytes], name: str) -> None:
    url, example, body = worked
    headers = example["transport"]["headers"] | {name: "text/plain"}
    answer = httpx.post(url + example["transport"]["path"], content=body, headers=headers, trust_env=False)
    assert (answer.status_code, answer.json()["code"] == "0") == (401, False)


def test_a_changed_body_and_an_old_timestamp_are_refused(start: Callable[..., Any]) -> None:
    side = start(NAME)
    document = {"eventTypes": [131588], "eventDest": "http://127.0.0.1:9/x"}
    body = json.dumps(document).encode()
    changed = httpx.post(
        side.url + SUBSCRIBE, content=body + b" ", headers=signed("POST", SUBSCRIBE, body), trust_env=False
    )
    late = call(side.url, SUBSCRIBE, document, at=datetime.now(WUHU) - timedelta(hours=1))
    assert (changed.status_code, late.json()["msg"]) == (401, "Timestamp expired")
    assert side.client.get("/_sim/subscriptions").json() == {}
    assert side.summary()["unauthenticated"] == 2


def test_an_intrusion_is_told_as_the_samples_in_three_messages_of_one_event(
    side: Any, hub: Any, sample: Callable[[str, str], bytes]
) -> None:
    told = happen(side, hub, "intrusion")
    names = ("02_event_region_start.json", "03_event_same_id_picture_later.json", "04_event_stop.json")
    assert [shape(one) for one in told] == [shape(json.loads(sample(FOLDER, name))) for name in names]
    events = [one["params"]["events"][0] for one in told]
    assert [event["status"] for event in events] == [1, 5, 2]
    assert len({event["eventId"] for event in events}) == 1
    assert events[0]["happenTime"] == events[1]["happenTime"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT \d\d:\d\d:\d\d\.000\+08:00", events[0]["happenTime"])
    assert side.items()[0]["state"] == "stopped"


def test_illegal_parking_is_written_in_the_old_format(side: Any, hub: Any, sample: Callable[[str, str], bytes]) -> None:
    [told] = happen(side, hub, "parking")
    assert shape(told) == shape(json.loads(sample(FOLDER, "05_event_illegal_parking_old_format.json")))
    event = told["params"]["events"][0]
    assert datetime.strptime(event["happenTime"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
    assert event["srcName"] == ""


def test_a_batch_carries_two_events_and_an_unknown_code_comes_unasked(side: Any, hub: Any) -> None:
    [batch] = happen(side, hub, "batch")
    assert [(one["eventType"], one["status"]) for one in batch["params"]["events"]] == [(131585, 0), (131588, 0)]
    [unknown] = happen(side, hub, "unknown")
    assert unknown["params"]["events"][0]["eventType"] not in {131588, 131585, 1157632005}


def test_a_picture_needs_a_signature(side: Any, hub: Any) -> None:
    told = happen(side, hub, "intrusion")
    reference = told[0]["params"]["events"][0]["data"]["fielddetection"][0]["imageUrl"]
    assert side.client.get(reference).status_code == 401
    fetched = side.client.get(reference, headers=signed("GET", reference))
    assert (fetched.status_code, fetched.content[:8]) == (200, b"\x89PNG\r\n\x1a\n")
    wrong = "/pic?0d1=nothing&Vsm=1"
    assert side.client.get(wrong, headers=signed("GET", wrong)).status_code == 404


def test_a_picture_is_gone_after_its_time(start: Callable[..., Any], hub: Any) -> None:
    side = subscribed(start, hub, picture_life="0")
    reference = happen(side, hub, "parking")[0]["params"]["events"][0]["data"]["picUri"]
    assert side.client.get(reference, headers=signed("GET", reference)).status_code == 410


def test_after_unsubscribing_nothing_more_comes(side: Any, hub: Any) -> None:
    assert call(side.url, UNSUBSCRIBE, {"eventTypes": [131588]}).json()["code"] == "0"
    assert happen(side, hub, "intrusion") == []
    assert side.items()[-1]["state"] == "unheard"
    assert len(happen(side, hub, "parking")) == 1
    [left] = side.client.get("/_sim/subscriptions").json().values()
    assert left == [131585, 1157632005]


@pytest.mark.parametrize(
    "document",
    [
        {"eventTypes": [], "eventDest": "http://127.0.0.1:9/x"},
        {"eventTypes": ["131588"], "eventDest": "http://127.0.0.1:9/x"},
        {"eventTypes": [131588], "eventDest": "/in/video"},
        {"eventTypes": [131588]},
    ],
)
def test_a_subscription_that_says_nothing_is_refused(start: Callable[..., Any], document: dict[str, Any]) -> None:
    side = start(NAME)
    assert call(side.url, SUBSCRIBE, document).json()["code"] != "0"


def test_a_hub_in_trouble_is_told_again(side: Any, hub: Any) -> None:
    answers = iter([503, 200])
    hub.api = lambda _request, _body: Response(status_code=next(answers))
    assert len(happen(side, hub, "parking")) == 2
    assert side.summary()["tried_again"] == 1


def test_an_answer_dropped_leaves_the_subscription_standing(start: Callable[..., Any]) -> None:
    side = start(NAME, drop_answer=1)
    with pytest.raises(httpx.RemoteProtocolError):
        call(side.url, SUBSCRIBE, {"eventTypes": [131588], "eventDest": "http://127.0.0.1:9/x"})
    assert list(side.client.get("/_sim/subscriptions").json().values()) == [[131588]]


def test_the_usual_days_story_depends_on_the_seed_alone(side: Any, start: Callable[..., Any]) -> None:
    other = start(NAME)
    assert side.emit(12) == other.emit(12)
    assert {item["title"].split()[0] for item in side.items()} >= {"区域入侵", "违停"}
    side.drained()
    other.drained()
