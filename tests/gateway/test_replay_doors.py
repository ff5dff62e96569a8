"""Replays from outside: the same rules at the command line and the API, where GET changes nothing."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import adapters
from canonical.rights import Role
from gateway.configuration import load
from gateway.settings import example_city
from tests.gateway.outside import gridhub, ticket
from tests.gateway.people_desk import Desk, desk
from tests.gateway.running import ENVIRONMENT, HubUnderTest, until

__all__ = ["desk"]
HOTLINE = "hotline_12345"


def unknown(hub: HubUnderTest, name: str) -> None:
    """A ticket with a code that has no row: quarantined."""
    made = ticket(name, ("9999", "340202"))
    hub.client.post(made.url.path, content=made.content, headers=made.headers).raise_for_status()


def city_with_the_row(place: Path) -> Path:
    """A copy of the example city whose table has the code."""
    folder = place / "config"
    shutil.copytree(example_city(), folder)
    shutil.copytree(Path(adapters.__file__).parent / HOTLINE, folder / "line")
    table = folder / "line" / "codes" / "accord_types.csv"
    table.write_text(table.read_text(encoding="utf-8") + "9999,30428.2:P01-37,路灯\n", encoding="utf-8")
    systems = (folder / "systems.yaml").read_text(encoding="utf-8")
    (folder / "systems.yaml").write_text(systems.replace(f"adapter: {HOTLINE}", "adapter: line"), encoding="utf-8")
    return folder


def test_the_command_line_plans_refuses_what_is_unclear_runs_exactly_that_and_shows_it(
    hub: HubUnderTest, tmp_path: Path
) -> None:
    unknown(hub, "one")
    everything = gridhub(hub, "replay", "in", "--system", HOTLINE)
    assert everything.returncode == 2
    assert "since, until, verdict, kind, case, id," in " ".join(everything.stderr.split())
    near = gridhub(hub, "replay", "in", "--system", "hotline", "--since", "2026-01-01")
    assert near.returncode == 2
    assert "did you mean" in near.stderr
    assert gridhub(hub, "replay", "in", "--system", HOTLINE, "--since", "gestern").returncode == 2

    city = ("--config", str(city_with_the_row(tmp_path)))
    planned = gridhub(hub, "replay", "in", "--system", HOTLINE, "--verdict", "quarantined", "--json", *city)
    plan = json.loads(planned.stdout)
    assert (plan["total"], plan["state"], plan["counts"]["reads_differently"]) == (1, "planned", 1)
    unknown(hub, "two")  # came later: not in the plan
    ran = gridhub(hub, "replay", "run", plan["id"], "--reason", "代码表补齐", "--by", "operator-7", "--json", *city)
    assert ran.returncode == 0, ran.stderr
    done = json.loads(ran.stdout)
    assert (done["state"], done["items"], done["actor"]) == ("done", {"done": 1}, "operator-7")
    assert hub.case("t-one")["stage"] == "dispatched"
    assert hub.client.get("/api/cases/t-two", headers=hub.centre).status_code == 404
    again = gridhub(hub, "replay", "run", plan["id"], "--reason", "noch einmal", "--json", *city)
    assert (again.returncode, json.loads(again.stdout)["reason"]) == (0, "代码表补齐")

    wrong = ("--verdict", "quarantined", "--yes", "7", "--reason", "x")
    assert gridhub(hub, "replay", "in", "--system", HOTLINE, *wrong, *city).returncode == 1
    shown = gridhub(hub, "replay", "show", plan["id"])
    assert "quarantined -> case" in shown.stdout
    assert "operator-7: 代码表补齐" in shown.stdout
    listed = gridhub(hub, "editions", "list", "--system", HOTLINE, "--json")
    old, new = sorted(json.loads(listed.stdout), key=lambda one: str(one["first_at"]))
    differs = gridhub(hub, "editions", "diff", HOTLINE, old["edition"][:10], new["edition"][:10])
    assert (differs.returncode, differs.stdout.splitlines()) == (
        1, ["~ codes/accord_types.csv", "    + 9999,30428.2:P01-37,路灯"],
    )  # fmt: skip


def test_the_api_plans_runs_by_a_worker_stops_and_shows_and_asks_who_and_why(
    start_hub: Callable[..., HubUnderTest], tmp_path: Path
) -> None:
    loaded = load(city_with_the_row(tmp_path), ENVIRONMENT)
    before = start_hub()
    unknown(before, "one")
    before.close()
    hub = start_hub(loaded=loaded)

    def post(path: str, body: Any) -> Any:
        return hub.client.post(path, json=body, headers=hub.centre)

    order = {"system": HOTLINE, "direction": "in"}
    empty = post("/api/replays", order)
    assert (empty.status_code, empty.json()["error"]["code"]) == (422, "contract")
    for wrong in ({}, {"x": 1}, order | {"chosen": {"since": "2026-05-20T00:00:00"}}, order | {"edition": "zz"}, [1]):
        assert post("/api/replays", wrong).status_code == 422
    assert hub.client.post("/api/replays", content=b"x" * 600_000, headers=hub.centre).status_code == 413
    assert hub.client.post("/api/replays", json=order).status_code == 401

    plan = post("/api/replays", order | {"chosen": {"verdict": ["quarantined"]}}).json()
    assert (plan["total"], plan["counts"]["reads_differently"]) == (1, 1)
    run = f"/api/replays/{plan['id']}/run"
    assert post(run, {"by": "operator-7"}).status_code == 422
    assert post(run, {"by": " ", "reason": "x"}).status_code == 422
    assert post(run, {"by": "a", "reason": "x", "count": 9}).status_code == 409
    looked = [hub.get("/api/replays"), hub.get(f"/api/replays/{plan['id']}")]
    assert looked[1]["state"] == "planned"
    assert hub.counts()["cases"] == 0

    assert post(run, {"by": "operator-7", "reason": "代码表补齐", "count": 1}).status_code == 202
    hub.start_worker()
    until(lambda: hub.get(f"/api/replays/{plan['id']}")["state"] == "done", what="the replay")
    assert post(run, {"by": "operator-8", "reason": "again"}).json()["actor"] == "operator-7"
    [line] = hub.get(f"/api/replays/{plan['id']}")["lines"]
    assert (line["was"], line["outcome"], line["state"]) == ("quarantined", "case", "done")
    [shown] = hub.case("t-one")["replays"]
    assert (shown["actor"], shown["outcome"]) == ("operator-7", "case")
    assert post(f"/api/replays/{plan['id']}/stop", {"by": "x", "reason": "y"}).json()["state"] == "done"
    missing = "/api/replays/00000000-0000-7000-8000-000000000000"
    assert hub.client.get(missing, headers=hub.centre).status_code == 404


def test_replays_are_paged_and_done_in_the_name_of_who_signed_in(desk: Desk) -> None:
    hub = desk.hub
    for name in ("one", "two", "three"):
        unknown(hub, name)
    centre, auditor = desk.person("zhang", Role.CITY_CENTRE), desk.person("qian", Role.AUDITOR)
    order = {"system": HOTLINE, "direction": "in", "chosen": {"verdict": ["quarantined"]}}
    assert auditor.post("/api/replays", json=order).status_code == 403
    plans = [centre.post("/api/replays", json=order).json()["id"] for _ in range(3)]

    first = auditor.get("/api/replays", params={"limit": 2}).json()
    rest = auditor.get("/api/replays", params={"limit": 2, "after": first["next"]}).json()
    assert [one["id"] for one in first["items"] + rest["items"]] == plans[::-1]
    assert rest["next"] is None

    told = {"by": "somebody else", "reason": "示例"}
    assert auditor.post(f"/api/replays/{plans[0]}/run", json=told).status_code == 403
    assert centre.post(f"/api/replays/{plans[0]}/run", json=told).json()["actor"] == "zhang"
    assert "stopped by zhang" in centre.post(f"/api/replays/{plans[0]}/stop", json=told).json()["text"]
