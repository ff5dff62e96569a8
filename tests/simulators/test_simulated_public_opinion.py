"""The simulated public opinion monitor, pulled by a small client of the test's own."""

from contextlib import closing
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import chain, count
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from simulators import Behaviour, Setup, running
from tests.simulators.conftest import SECRET, Side

NAME = "public_opinion"
SHANGHAI = ZoneInfo("Asia/Shanghai")
FIELDS = {
    "id": str, "title": str, "content": str, "source": str, "url": str, "author": str, "publishTime": int,
    "sentiment": int, "sensitivity": int, "region": str, "hotness": int, "similarCount": int,
}  # fmt: skip
_NONCES = count()


def signed(key: str = "gridhub", *, age: float = 0, secret: str = SECRET, nonce: str = "") -> dict[str, str]:
    """The headers of a call that was signed `age` seconds ago."""
    stamp = str(round((datetime.now(SHANGHAI).timestamp() - age) * 1000))
    nonce = nonce or f"n{next(_NONCES)}"
    sign = sha256((key + stamp + nonce + secret).encode()).hexdigest().upper()
    return {"X-App-Key": key, "X-Timestamp": stamp, "X-Nonce": nonce, "X-Sign": sign}


def around(now: datetime, before: float = 3600, after: float = 3600) -> dict[str, str]:
    begin, end = now - timedelta(seconds=before), now + timedelta(seconds=after)
    return {"begin": f"{begin:%Y-%m-%d %H:%M:%S}", "end": f"{end:%Y-%m-%d %H:%M:%S}"}


def asked(side: Any, *, headers: dict[str, str] | None = None, **query: object) -> dict[str, Any]:
    params = around(datetime.now(SHANGHAI)) | {name: str(value) for name, value in query.items()}
    answer = side.client.get("/api/opinions", params=params, headers=headers or signed())
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


def page(side: Any, number: int, size: int = 4) -> list[str]:
    rows = asked(side, pageNo=number, pageSize=size)["data"]["list"]
    return [row["id"] for row in rows]


def happen(side: Any, kind: str) -> str:
    id_: str = side.post("/_sim/happen", json={"kind": kind}).json()["id"]
    return id_


def test_an_article_has_the_fields_of_the_contract(start: Any) -> None:
    side = start(NAME)
    [id_] = side.emit()
    document = asked(side)
    assert (document["code"], document["data"]["total"]) == (0, 1)
    [row] = document["data"]["list"]
    assert {name: type(value) for name, value in row.items()} == FIELDS
    assert row["id"] == id_
    assert abs(row["publishTime"] / 1000 - datetime.now(SHANGHAI).timestamp()) < 60
    assert side.item(id_)["state"] == "given"


def test_the_pages_give_every_article_once_oldest_first(start: Any) -> None:
    side = start(NAME)
    for _ in range(11):
        side.emit()
    pages = [page(side, number) for number in (1, 2, 3, 4)]
    assert [len(one) for one in pages] == [4, 4, 3, 0]
    in_time = sorted(side.items(), key=lambda item: (item["published"], item["id"]))
    assert [*chain.from_iterable(pages)] == [item["id"] for item in in_time]
    assert asked(side, pageNo=2, pageSize=4)["data"]["total"] == 11


def test_the_window_begins_in_and_ends_out(start: Any) -> None:
    side = start(NAME)
    happen(side, "late")
    happen(side, "article")
    late, new = (datetime.fromisoformat(item["published"]) for item in side.items())
    assert new - late > timedelta(minutes=89)
    second = late.replace(microsecond=0)
    text = f"{second:%Y-%m-%d %H:%M:%S}"
    after = f"{second + timedelta(seconds=1):%Y-%m-%d %H:%M:%S}"
    before = f"{second - timedelta(seconds=60):%Y-%m-%d %H:%M:%S}"
    assert asked(side, begin=text, end=after)["data"]["total"] == 1
    assert asked(side, begin=before, end=text)["data"]["total"] == 0


def test_an_article_on_the_stroke_belongs_to_the_window_that_begins_there(hub: Any) -> None:
    stroke = datetime(2026, 3, 16, 9, 40, tzinfo=SHANGHAI)
    later = datetime.now(SHANGHAI) - stroke
    setup = Setup(hub.url, SECRET, 7, Behaviour(rate=0), quiet=True, clock=lambda: stroke)
    with running(NAME, setup) as up, closing(Side(up).client) as client:
        client.post("/_sim/emit")
        totals = []
        for window in (around(stroke, before=60, after=0), around(stroke, before=0, after=60)):
            headers = signed(age=later.total_seconds())
            totals.append(client.get("/api/opinions", params=window, headers=headers).json()["data"]["total"])
    assert totals == [0, 1]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 40102),
        (signed("somebody"), 40102),
        (signed(secret="wrong"), 40101),
        (signed() | {"X-Sign": ""}, 40101),
        (signed() | {"X-Timestamp": "yesterday"}, 40101),
        (signed() | {"X-Nonce": ""}, 40101),
    ],
)
def test_a_call_that_is_not_signed_is_refused(start: Any, headers: dict[str, str], code: int) -> None:
    side = start(NAME)
    side.emit()
    answer = asked(side, headers=headers or {"X-Nothing": ""})
    assert (answer["code"], answer["data"]) == (code, None)
    assert (side.summary()["unauthenticated"], side.items()[0]["state"]) == (1, "new")


@pytest.mark.parametrize(("age", "code"), [(290, 0), (-290, 0), (310, 40103), (-310, 40103)])
def test_a_signature_lives_five_minutes_either_way(start: Any, age: float, code: int) -> None:
    assert asked(start(NAME), headers=signed(age=age))["code"] == code


def test_a_nonce_serves_once(start: Any) -> None:
    side, headers = start(NAME), signed(nonce="once")
    assert [asked(side, headers=headers)["code"] for _ in range(2)] == [0, 40104]
    assert asked(side, headers=signed(nonce="once"))["code"] == 40104


@pytest.mark.parametrize(
    "query",
    [
        {"begin": ""},
        {"end": "2026-03-16T10:00:00"},
        {"end": "2000-01-01 00:00:00"},
        {"pageNo": 0},
        {"pageSize": 101},
        {"pageSize": "x"},
    ],
)
def test_a_wrong_parameter_is_named_as_such(start: Any, query: dict[str, Any]) -> None:
    assert asked(start(NAME), **query)["code"] == 40001


def test_a_page_repeats_once_when_asked_to(start: Any) -> None:
    side = start(NAME)
    side.emit(8)
    happen(side, "repeat_page")
    first, second = page(side, 1), page(side, 2)
    assert second == first
    assert set(page(side, 2)).isdisjoint(first)


def test_a_page_shifts_by_one_when_asked_to(start: Any) -> None:
    side = start(NAME)
    side.emit(8)
    happen(side, "shift_page")
    first, second = page(side, 1), page(side, 2)
    assert second[0] == first[-1]
    assert len({*first, *second}) == 7
    assert len({*first, *page(side, 2)}) == 8


def test_an_article_changes_and_keeps_its_id_and_time(start: Any) -> None:
    side = start(NAME)
    happen(side, "article")
    [before] = asked(side)["data"]["list"]
    happen(side, "change")
    [after] = asked(side)["data"]["list"]
    assert {name for name in before if before[name] != after[name]} == {"hotness", "similarCount"}


def test_late_articles_and_the_key_are_settings(start: Any) -> None:
    side = start(NAME, options={"late": "1", "app_key": "city"})
    side.emit(3)
    assert asked(side, headers=signed("city"))["data"]["total"] == 0
    wide = around(datetime.now(SHANGHAI), before=86_400)
    assert asked(side, headers=signed("city"), **wide)["data"]["total"] == 3


@pytest.mark.parametrize(("switch", "code"), [("limited", 42901), ("refuse", 50001)])
def test_it_is_busy_when_told_to_be(start: Any, switch: str, code: int) -> None:
    assert asked(start(NAME, **{switch: 1}))["code"] == code
