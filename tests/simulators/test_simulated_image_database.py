"""The simulated GA/T 1400 image database: Digest, session, subscriptions, notifications and their answers."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from simulators import Behaviour, Running, Setup, running

NAME = "image_database"
FOLDER = "video-gat1400-subscribe"
PEER = "34020200005030000001"
SUBSCRIPTION = "340202000000032026031609120000001"
MEDIA = "application/VIID+JSON;charset=utf-8"
SECRET = "a-secret-of-the-tests"


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 16, 9, 12, tzinfo=ZoneInfo("Asia/Shanghai"))

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Peer:
    """The hub as a peer of the database, with a Digest client of its own."""

    def __init__(self, up: Running, hub: Any, until: Callable[..., None], password: str = SECRET) -> None:
        self.system, self.hub, self.until = up.system, hub, until
        self.client = httpx.Client(
            base_url=up.url, auth=httpx.DigestAuth("hub", password), headers={"User-Identify": PEER}, trust_env=False
        )

    def send(self, path: str, document: dict[str, Any], *, method: str = "POST", **how: Any) -> httpx.Response:
        headers = {"Content-Type": MEDIA} | how
        return self.client.request(method, path, content=json.dumps(document).encode(), headers=headers)

    def code(self, path: str, document: dict[str, Any], **how: Any) -> int:
        [row] = self.send(path, document, **how).json()["ResponseStatusListObject"]["ResponseStatusObject"]
        return int(row["StatusCode"])

    def register(self) -> int:
        return self.code("/VIID/System/Register", {"RegisterObject": {"DeviceID": PEER}})

    def keep_alive(self) -> int:
        return self.code("/VIID/System/Keepalive", {"KeepaliveObject": {"DeviceID": PEER}})

    def subscribe(self, **changes: str) -> int:
        one = {
            "SubscribeID": SUBSCRIPTION,
            "Title": "违停机动车",
            "SubscribeDetail": "13",
            "BeginTime": "20260316000000",
            "EndTime": "20261231235959",
            "ReceiveAddr": f"{self.hub.url}/api/VIID/SubscribeNotifications",
            "OperateType": 0,
        }
        return self.code("/VIID/Subscribes", {"SubscribeListObject": {"SubscribeObject": [one | changes]}})

    def happen(self, kind: str = "vehicle") -> list[dict[str, Any]]:
        """What the hub was told."""
        self.hub.requests.clear()
        assert self.client.post("/_sim/happen", json={"kind": kind}).status_code == 200
        self.until(lambda: self.system.busy == 0)
        assert self.system.failures == []
        return [json.loads(body) for body in self.hub.bodies()]

    def peers(self) -> dict[str, Any]:
        peers: dict[str, Any] = self.client.get("/_sim/peers").json()
        return peers


def status_answer(*codes: int | str) -> Callable[[Request, bytes], Response]:
    """The hub answers with these StatusCodes one after the other, then for ever with the last."""
    left = list(codes)

    def answer(_request: Request, _body: bytes) -> Response:
        code = left.pop(0) if len(left) > 1 else left[0]
        row = {"RequestURL": "/VIID/SubscribeNotifications", "StatusCode": code, "StatusString": "", "Id": "x"}
        return JSONResponse({"ResponseStatusListObject": {"ResponseStatusObject": [row]}})

    return answer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def up(clock: Clock) -> Iterator[Running]:
    behaviour = Behaviour(rate=0, pace=0, gap=0.01, repeat=0)
    with running(NAME, Setup("", SECRET, 7, behaviour, quiet=True, clock=clock)) as one:
        yield one


@pytest.fixture
def peer(up: Running, hub: Any, until: Callable[..., None]) -> Iterator[Peer]:
    """Not registered yet."""
    hub.api = status_answer(0)
    one = Peer(up, hub, until)
    with one.client:
        yield one


@pytest.fixture
def subscribed(peer: Peer) -> Peer:
    assert (peer.register(), peer.subscribe()) == (0, 0)
    return peer


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return [(name, shape(inner)) for name, inner in value.items()]
    return [shape(value[0])] if isinstance(value, list) and value else type(value).__name__


def vehicle(told: dict[str, Any]) -> dict[str, Any]:
    [notification] = told["SubscribeNotificationListObject"]["SubscribeNotificationObject"]
    [one] = notification["MotorVehicleObjectList"]["MotorVehicleObject"]
    found: dict[str, Any] = one
    return found


def test_the_first_answer_is_a_challenge_and_the_second_the_contracts_status(
    up: Running, peer: Peer, sample: Callable[[str, str], bytes]
) -> None:
    body = sample(FOLDER, "01_register.json")
    bare = httpx.post(f"{up.url}/VIID/System/Register", content=body, trust_env=False)
    assert (bare.status_code, bare.headers["www-authenticate"][:7]) == (401, "Digest ")
    answer = peer.send("/VIID/System/Register", json.loads(body))
    assert answer.headers["content-type"].lower() == MEDIA.lower()
    assert shape(answer.json()) == shape(json.loads(sample(FOLDER, "06_response_status_list.json")))
    assert peer.peers()["peers"] == {PEER: "online"}


def test_a_wrong_password_never_gets_in(up: Running, hub: Any, until: Callable[..., None]) -> None:
    peer = Peer(up, hub, until, password="wrong")
    with peer.client:
        assert peer.send("/VIID/System/Register", {"RegisterObject": {"DeviceID": PEER}}).status_code == 401
    assert up.system.counts["digest_wrong"] == 1


def test_an_old_nonce_is_called_stale_and_the_same_password_opens_again(peer: Peer, clock: Clock) -> None:
    peer.register()
    seen = []
    peer.client.event_hooks = {"response": [lambda answer: seen.append(answer.headers.get("www-authenticate", ""))]}
    clock.pass_(200)
    assert peer.keep_alive() == 0
    assert seen == [""]
    clock.pass_(101)
    assert peer.keep_alive() == 0
    assert "stale=true" in seen[1]
    peer.client.post("/_sim/age")
    assert peer.keep_alive() == 0
    assert peer.system.counts["digest_stale"] == 2


def test_an_authorization_header_is_good_for_once(up: Running, peer: Peer) -> None:
    answer = peer.send("/VIID/System/Register", {"RegisterObject": {"DeviceID": PEER}})
    replayed = httpx.request(
        "POST", answer.request.url, content=answer.request.content, headers=answer.request.headers, trust_env=False
    )
    assert (answer.status_code, replayed.status_code) == (200, 401)
    assert "stale=true" in replayed.headers["www-authenticate"]


def test_sha_256_works_as_well(hub: Any, until: Callable[..., None]) -> None:
    options = {"algorithm": "SHA-256"}
    with running(NAME, Setup("", SECRET, 7, Behaviour(rate=0), quiet=True, options=options)) as up:
        peer = Peer(up, hub, until)
        with peer.client:
            assert peer.register() == 0


def test_nothing_flows_before_registering(peer: Peer) -> None:
    assert (peer.keep_alive(), peer.subscribe()) == (4, 4)
    assert peer.send("/VIID/APEs", {}, method="GET").json()["ResponseStatusListObject"]
    assert peer.system.counts["unregistered"] == 3


def test_the_media_type_matters_and_its_case_does_not(peer: Peer) -> None:
    document = {"RegisterObject": {"DeviceID": PEER}}
    assert peer.code("/VIID/System/Register", document, **{"Content-Type": "application/json"}) == 5
    assert peer.code("/VIID/System/Register", document, **{"Content-Type": "application/viid+json"}) == 0


def test_a_registration_must_name_the_caller(peer: Peer) -> None:
    assert peer.code("/VIID/System/Register", {"RegisterObject": {"DeviceID": PEER[:-1] + "9"}}) == 4
    assert peer.peers()["peers"] == {}


def test_a_parked_vehicle_is_notified_as_the_sample(subscribed: Peer, sample: Callable[[str, str], bytes]) -> None:
    told = next(one for one in iter(lambda: subscribed.happen()[0], None) if vehicle(one)["HasPlate"] is True)
    assert shape(told) == shape(json.loads(sample(FOLDER, "04_notification_motorvehicle.json")))
    _, headers, _ = subscribed.hub.requests[-1]
    assert headers["content-type"] == MEDIA
    assert len(headers["user-identify"]) == 20
    seen = vehicle(told)
    assert [len(seen[name]) for name in ("MotorVehicleID", "SourceID", "DeviceID")] == [48, 41, 20]
    assert seen["MotorVehicleID"].startswith(seen["SourceID"])
    assert seen["SourceID"].startswith(seen["DeviceID"])
    assert re.fullmatch(r"\d{14}", seen["MarkTime"])
    assert subscribed.system.items()[-1]["state"] == "told"


def test_a_picture_comes_by_address_or_inside(subscribed: Peer) -> None:
    by_address = vehicle(subscribed.happen("vehicle")[0])
    fetched = httpx.get(by_address["StorageUrl1"], trust_env=False)
    assert fetched.content.startswith(b"\x89PNG")
    inside = vehicle(subscribed.happen("inline")[0])
    assert "StorageUrl1" not in inside
    [image] = inside["SubImageList"]["SubImageInfoObject"]
    assert base64.b64decode(image["Data"]).startswith(b"\x89PNG")


def test_some_peers_write_booleans_as_numbers(subscribed: Peer) -> None:
    written = {type(vehicle(subscribed.happen()[0])["HasPlate"]) for _ in range(20)}
    assert written == {bool, int}


def test_three_missed_keepalives_silence_it_until_registered_again(subscribed: Peer, clock: Clock) -> None:
    clock.pass_(269)
    assert len(subscribed.happen()) == 1
    clock.pass_(2)
    assert subscribed.happen() == []
    assert subscribed.system.items()[-1]["state"] == "lost"
    assert subscribed.keep_alive() == 4
    assert subscribed.register() == 0
    assert len(subscribed.happen()) == 1


def test_a_keepalive_keeps_it_online(subscribed: Peer, clock: Clock) -> None:
    for _ in range(4):
        clock.pass_(89)
        assert subscribed.keep_alive() == 0
    assert len(subscribed.happen()) == 1


def test_after_unregistering_it_hears_nothing(subscribed: Peer) -> None:
    assert subscribed.code("/VIID/System/UnRegister", {"UnRegisterObject": {"DeviceID": PEER}}) == 0
    assert subscribed.happen() == []


def test_a_cancelled_subscription_is_silent_and_cancelling_it_again_is_refused(subscribed: Peer) -> None:
    path = f"/VIID/Subscribes/{SUBSCRIPTION}"
    assert subscribed.code(path, {"SubscribeObject": {"OperateType": 1}}, method="PUT") == 0
    assert subscribed.happen() == []
    assert subscribed.code(path, {}, method="PUT") == 1


@pytest.mark.parametrize(
    "changes", [{"SubscribeDetail": "11,12"}, {"BeginTime": "20260401000000"}, {"EndTime": "20260316000001"}]
)
def test_what_was_not_subscribed_is_not_told(peer: Peer, changes: dict[str, str]) -> None:
    peer.register()
    assert peer.subscribe(**changes) == 0
    assert peer.happen() == []


@pytest.mark.parametrize("changes", [{"SubscribeID": "1"}, {"ReceiveAddr": "/VIID/x"}, {"BeginTime": "2026-03-16"}])
def test_a_subscription_that_cannot_work_is_refused(peer: Peer, changes: dict[str, str]) -> None:
    peer.register()
    assert peer.subscribe(**changes) == 1


def test_a_notification_is_repeated_until_every_status_code_is_zero(subscribed: Peer) -> None:
    subscribed.hub.api = status_answer(2, 1, "0")
    told = subscribed.happen()
    assert len(told) == 3
    assert told[0] == told[2]
    subscribed.hub.api = status_answer(1)
    assert len(subscribed.happen()) == 4
    assert subscribed.system.items()[-1]["state"] == "refused"


def test_the_catalogue_is_read_and_pushed_as_the_sample(subscribed: Peer, sample: Callable[[str, str], bytes]) -> None:
    expected = shape(json.loads(sample(FOLDER, "05_device_catalog.json")))
    assert shape(subscribed.client.get("/VIID/APEs").json()) == expected
    [told] = subscribed.happen("catalogue")
    assert shape(told) == expected


def test_its_clock_can_be_asked(subscribed: Peer) -> None:
    assert subscribed.client.get("/VIID/System/Time").json()["SystemTimeObject"]["LocalTime"] == "20260316091200"


def test_a_busy_database_says_so_in_the_contracts_words(subscribed: Peer) -> None:
    subscribed.client.post("/_sim/behaviour", json={"refuse": 1})
    assert subscribed.keep_alive() == 2


def test_a_dropped_answer_leaves_the_peer_registered(peer: Peer) -> None:
    peer.client.post("/_sim/behaviour", json={"drop_answer": 1})
    with pytest.raises(httpx.RemoteProtocolError):
        peer.register()
    peer.client.post("/_sim/behaviour", json={"drop_answer": 0})
    assert peer.register() == 0
