"""The simulated operator against a small casebook behind the centre's REST API."""

import json
from collections import Counter
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

SECRET = "a-secret-of-the-tests"
NEXT = {
    "file": "no_owner", "dispatch": "", "redispatch": "", "sign": "at_desk", "dispose": "to_check", "check": "to_close",
    "close": "", "refuse": "", "cancel": "", "merge": "", "rework": "",
}  # fmt: skip


class Casebook:
    """Cases by number, each in a queue; the least a hub's API does."""

    def __init__(self, *cases: dict[str, Any]) -> None:
        self.cases = {case["no"]: {"stage": "reported", "class_code": "30428.2:P01-37", **case} for case in cases}
        self.actions: list[tuple[str, dict[str, Any]]] = []
        self.units = [
            {"id": "u1", "name": "一", "system": ""},
            {"id": "u2", "name": "二", "system": "urban_management"},
        ]
        self.faster = False

    def __call__(self, request: Request, body: bytes) -> Response:
        assert request.headers["authorization"] == f"Bearer {SECRET}"
        if request.url.path == "/api/units":
            return JSONResponse({"items": self.units})
        if request.method == "GET":
            return self.queue(request.query_params["queue"], request.query_params.get("after", ""))
        return self.act(request.url.path.split("/")[3], json.loads(body))

    def queue(self, name: str, after: str) -> Response:
        waiting = [case for no, case in sorted(self.cases.items()) if case["queue"] == name and no > after]
        rest = waiting[0]["no"] if len(waiting) > 1 else None
        return JSONResponse({"items": waiting[:1], "next": rest})

    def act(self, no: str, action: dict[str, Any]) -> Response:
        if self.faster:
            return JSONResponse({"error": {"code": "not_allowed", "text": "", "hint": ""}}, status_code=409)
        self.actions.append((no, action))
        case = self.cases[no]
        case["queue"] = NEXT[action["kind"]]
        case["stage"] = "handling" if action["kind"] == "sign" else case["stage"]
        return JSONResponse(case)

    def kinds(self) -> list[str]:
        return [action["kind"] for _, action in self.actions]


def look(side: Any, times: int = 1) -> dict[str, Any]:
    for _ in range(times):
        side.emit()
        side.drained()
    summary: dict[str, Any] = side.summary()
    return summary


@pytest.mark.parametrize(
    ("queue", "kinds"),
    [
        ("to_file", ["file", "dispatch"]),
        ("to_verify", ["file", "dispatch"]),
        ("no_owner", ["dispatch"]),
        ("returned", ["redispatch"]),
        ("to_check", ["check", "close"]),
        ("to_close", ["close"]),
    ],
)
def test_every_queue_is_emptied_by_its_action(start: Any, hub: Any, queue: str, kinds: list[str]) -> None:
    book = hub.api = Casebook({"no": "1", "queue": queue})
    side = start("centre_desk")
    assert look(side)["accepted"] == len(kinds)
    assert book.kinds() == kinds


def test_the_desk_signs_and_disposes_for_a_unit_without_a_system(start: Any, hub: Any) -> None:
    book = hub.api = Casebook({"no": "1", "queue": "at_desk", "stage": "dispatched"})
    look(start("centre_desk"), 2)
    assert book.kinds() == ["sign", "dispose", "check", "close"]
    assert book.actions[1][1]["result"]


def test_every_page_of_a_queue_is_read(start: Any, hub: Any) -> None:
    book = hub.api = Casebook(*({"no": str(number), "queue": "to_close"} for number in range(1, 6)))
    look(start("centre_desk"))
    assert sorted(no for no, _ in book.actions) == ["1", "2", "3", "4", "5"]


def test_a_place_that_the_words_name_is_given_and_a_class_where_there_is_none(start: Any, hub: Any) -> None:
    case = {"no": "1", "queue": "location_unknown", "title": "赭山街道凤凰山社区路灯不亮", "class_code": None}
    book = hub.api = Casebook(case)
    look(start("centre_desk"))
    expected = {"kind": "file", "class_code": "30428.2:P01-37", "place": {"area": "340202016003"}}
    assert book.actions[0] == ("1", expected)


def test_of_the_cases_nobody_can_place_some_wait_some_are_refused_and_some_are_placed(start: Any, hub: Any) -> None:
    book = hub.api = Casebook(*({"no": str(number), "queue": "location_unknown"} for number in range(100, 200)))
    side = start("centre_desk", options={"leave": "0.5"})
    look(side)
    kinds = Counter(kind for kind in book.kinds() if kind in {"file", "refuse"})
    waiting = sum(case["queue"] == "location_unknown" for case in book.cases.values())

    assert 35 < waiting < 65
    assert kinds["refuse"] > 3
    assert kinds["file"] > 20
    look(side, 2)
    assert sum(case["queue"] == "location_unknown" for case in book.cases.values()) == waiting


def test_a_returned_case_goes_to_another_unit_and_is_given_up_in_the_end(start: Any, hub: Any) -> None:
    book = hub.api = Casebook({"no": "1", "queue": "returned", "assignments": [{"unit": "u2"}]})
    side = start("centre_desk")
    for _ in range(4):
        book.cases["1"]["queue"] = "returned"
        look(side)
    assert book.kinds() == ["redispatch"] * 3 + ["cancel"]
    assert all(action["unit"] == "u1" for _, action in book.actions[:3])
    assert all(action["reason"] for _, action in book.actions)


def test_a_unit_with_a_system_is_preferred_and_an_option_overrides(start: Any, hub: Any) -> None:
    book = hub.api = Casebook({"no": "1", "queue": "no_owner"})
    look(start("centre_desk"))
    assert book.actions[0][1] == {"kind": "dispatch", "unit": "u2"}
    book.cases["1"]["queue"] = "no_owner"
    look(start("centre_desk", options={"unit": "u9"}))
    assert book.actions[1][1] == {"kind": "dispatch", "unit": "u9"}


def test_two_cases_of_one_place_and_class_are_merged_into_the_earlier(start: Any, hub: Any) -> None:
    place = {"address": "镜湖区示例路1号"}
    cases = [{"no": str(number), "queue": "to_file", "place": place} for number in (1, 2, 3)]
    book = hub.api = Casebook(*cases, {"no": "4", "queue": "to_file", "place": {"address": ""}})
    look(start("centre_desk"))
    merged = [(no, action["target"]) for no, action in book.actions if action["kind"] == "merge"]
    assert merged == [("2", "1"), ("3", "1")]
    assert sorted(no for no, action in book.actions if action["kind"] == "file") == ["1", "4"]


def test_somebody_faster_is_no_error(start: Any, hub: Any) -> None:
    book = hub.api = Casebook({"no": "1", "queue": "to_close"})
    book.faster = True
    summary = look(start("centre_desk"))
    assert (summary["refused"], summary.get("errors", 0), summary["failures"]) == (1, 0, 0)


def test_what_was_not_done_well_is_sent_back(start: Any, hub: Any) -> None:
    book = hub.api = Casebook({"no": "1", "queue": "to_check"}, {"no": "2", "queue": "to_verify"})
    look(start("centre_desk", rework=1, refuse=1))
    assert sorted(book.kinds()) == ["refuse", "rework"]


def test_a_hub_without_answers_leaves_the_desk_unharmed(start: Any, hub: Any) -> None:
    hub.api = lambda _request, _body: Response("not json")
    assert look(start("centre_desk"))["errors"] > 0


def test_the_desk_works_by_itself_at_its_pace(start: Any, hub: Any, until: Any) -> None:
    book = hub.api = Casebook({"no": "1", "queue": "to_file"})
    side = start("centre_desk")
    side.post("/_sim/quiet", json={"quiet": False})
    until(lambda: book.kinds() == ["file", "dispatch"])
    side.post("/_sim/quiet")
    until(lambda: side.summary()["busy"] == 0)
