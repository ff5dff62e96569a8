"""No door shows a case outside the scope (ADR 40): random people go through every route of the OpenAPI document, with
ids of cases that they see and of cases that they do not, and no answer holds a number, an id or a word of the latter.

Routes are found in the document: a new one is gone through by itself. One that cannot be asked, because nothing here
has an id for it, fails until `IDS` says where ids come from, or `ELSEWHERE` why it is not asked.
"""

import asyncio
import random
import re
import socket
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from canonical.rights import LIMITED_BY, RIGHTS, Right, Role, Scope
from gateway.assessment.facts import spending
from gateway.configuration import Configuration
from gateway.search.follow import Follower
from gateway.settings import Settings, example_city
from storage.facts import Facts
from tests.databases import Databases
from tests.gateway.doors import SAFE, Filler, Route, routes, text_of
from tests.gateway.people_desk import Desk
from tests.gateway.pushes import grid, hotline, record, ticket
from tests.gateway.running import CENTRE_SECRET, ENVIRONMENT, HubUnderTest, connected

PEOPLE = (Role.AUDITOR, Role.CITY_CENTRE, Role.DISTRICT_CENTRE, Role.UNIT)
"""Who go through all doors, each with random limits."""
ELSEWHERE = {
    "GET /api/live": "a stream without end; tests/gateway/test_live.py listens to it",
    "GET /api/cases/{number}/files/{file}": "none of these cases has a file; tests/gateway/test_case_files.py",
    "GET /api/sign-in/{provider}": "nobody is signed in yet; tests/gateway/test_oidc.py",
    "GET /api/sign-in/{provider}/back": "nobody is signed in yet; tests/gateway/test_oidc.py",
    "GET /api/assessment/difference": "no period has ended yet; tests/gateway/test_scoped_assessment.py",
    "GET /api/reconciliation/statements/{statement}": "of the whole city; the example city compares with nobody",
    "GET /api/reconciliation/differences/{difference}": "as above",
    "POST /api/reconciliation/differences/{difference}/repair": "as above",
    "POST /api/reconciliation/differences/{difference}/sign-off": "as above",
}
"""Routes that are not gone through here, and why."""
OWN = re.compile(r"/api/session|/api/sign-in($|/)")
CHANGING = {Right.ACT, Right.APPEAL, Right.OPERATE, Right.ASSESS, Right.ADMINISTER}
TELLING = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{16,}|q[a-z]{7}")
"""Whatever may be of one case alone: ids, numbers of ours, and the words that only one case has."""
TELLING_OF_CASES = {
    f"/api/{name}"
    for name in (
        "cases", "cases/{number}", "cases/{number}/evidence", "latest", "clocks", "journal", "journal/{message}",
        "journal/{message}/body", "deliveries", "deliveries/{delivery}", "assessment/facts",
        "assessment/cases/{number}/facts", "replays/{replay}", "search", "viewings",
    )
}  # fmt: skip
"""Doors that must tell of a case when they are asked as here: else the rest would look at nothing."""
NOWHERE = "00000000-0000-7000-8000-000000000000"
CLASSES = ("0401", "0601", "1201", "0101", "1402")
AREAS = ("340202", "340207", "340209", "340202016")


@dataclass
class City:
    """A hub with cases of many places, classes and owners, and what is known of each."""

    desk: Desk
    cases: list[dict[str, Any]] = field(default_factory=list)
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def hub(self) -> HubUnderTest:
        """The hub."""
        return self.desk.hub

    @property
    def routes(self) -> list[Route]:
        """Those that are gone through."""
        return [one for one in routes(self.document) if str(one) not in ELSEWHERE and not OWN.match(one.path)]

    def filler(self, cases: Sequence[Mapping[str, Any]], dice: random.Random) -> Filler:
        """Fills parameters with what belongs to these cases."""
        lures = sorted({one for case in cases for one in case["telling"] if len(one) < 21} | {"示例"})
        return Filler(ids(self, cases), lures, dice, self.document)


def word(number: int) -> str:
    """A word that no other case has."""
    return "q" + "".join(chr(ord("a") + int(digit)) for digit in f"{number:07}")


def tables(hub: HubUnderTest) -> list[tuple[str, bool]]:
    """Tables whose rows name their case by its id; whether the rows have ids of their own."""
    found = hub.rows(
        "SELECT c.table_name AS name, bool_or(o.column_name IS NOT NULL) AS own FROM information_schema.columns c"
        " JOIN pg_class k ON k.relname = c.table_name AND NOT k.relispartition AND k.relkind IN ('r', 'p')"
        " LEFT JOIN information_schema.columns o ON o.table_name = c.table_name AND o.column_name = 'id'"
        " AND o.data_type = 'uuid' WHERE c.column_name = 'case_id' AND c.table_schema = 'public' GROUP BY 1"
    )  # fmt: skip
    return [(row["name"], row["own"]) for row in found]


def facts(hub: HubUnderTest) -> list[dict[str, Any]]:
    """Each case: what scopes go by, and everything that only it has."""
    rows = hub.rows(
        "SELECT id, no, source, owner, area, class_code, state, ARRAY(SELECT jsonb_array_elements(state->'assignments')"
        "->>'unit') AS units FROM cases ORDER BY no"
    )  # fmt: skip
    held: dict[Any, set[str]] = {row["id"]: {str(row["id"]), row["no"]} for row in rows}
    for table, own in tables(hub):
        if own:
            for row in hub.rows(f"SELECT id, case_id FROM {table} WHERE case_id IS NOT NULL"):
                held[row["case_id"]].add(str(row["id"]))
    for row in hub.rows("SELECT case_id, external_id FROM binding"):
        held[row["case_id"]] |= set(TELLING.findall(row["external_id"]))
    for row in rows:
        held[row["id"]] |= set(TELLING.findall(row["state"]))
    return [row | {"telling": held[row["id"]]} for row in rows]


@pytest.fixture(scope="module")
def city(
    databases: Databases, configuration: Configuration, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[City]:
    """Cases that came in at two doors, some of them acted on; a plan of a replay, and an ordered statement."""
    with databases.lent() as url, ExitStack() as stack:
        data = tmp_path_factory.mktemp("hub")
        settings = Settings(example_city(), url, CENTRE_SECRET, data, ENVIRONMENT)
        hub = HubUnderTest(settings, connected(configuration, {}), url, socket.create_server(("127.0.0.1", 0)))
        stack.callback(hub.close)
        hub.open_doors()
        desk = Desk(hub, stack)
        pushed(hub)
        asyncio.run(prepared(hub))
        made = City(desk, facts(hub))
        made.document = hub.client.get("/api/openapi.json").json()
        yield made


def pushed(hub: HubUnderTest) -> None:
    """Cases of all kinds."""
    places = [(kind, area) for kind in CLASSES for area in AREAS]
    for number, (kind, area) in enumerate(places):
        said = {
            "rqstTitle": f"示例{word(number)}",
            "rqstContent": f"反映{word(number)}。",
            "rqstAddress": f"示例路{word(number)}",
        }
        taken = hotline(ticket(word(number), accordType=kind, rqstAreaCode=area, **said)).to(hub)
        assert taken.json()["custom"]["code"] == "1", taken.text
    for number in range(len(places), len(places) + 4):
        said = {"EventDesc": f"楼道{word(number)}", "EventAddress": f"镜湖区赭山街道{word(number)}"}
        assert grid(record(f"{word(number)}", **said)).to(hub).json()["Ret"] == 0
    for case in hub.cases()[::3]:
        hub.act(case["no"], kind="comment", reason="示例说明", by="centre-1")
    order = {"system": "hotline_12345", "direction": "in", "chosen": {"verdict": ["case"]}}
    for row in hub.rows("SELECT id FROM message WHERE case_id IS NOT NULL"):  # each a look that is logged
        assert hub.client.get(f"/api/journal/{row['id']}/body", headers=hub.centre).status_code == 200
    answer = hub.client.post("/api/replays", json=order, headers=hub.centre)
    assert answer.status_code == 201, answer.text


async def prepared(hub: HubUnderTest) -> None:
    """What workers do by themselves: facts of assessment, and the index by which people find cases."""
    wired = hub.wired()
    await Facts(wired.store, spending(wired.configuration)).update(hub.now)
    for _ in range(3):
        await Follower(wired).round()
    await wired.store.close()


def let_in(route: Route, role: Role) -> bool:
    """By the document, and the table of rights: whether the role has what the route asks for."""
    return all(RIGHTS[role] & set(door.split("|")) for door in route.rights)


def limits(city: City, dice: random.Random) -> dict[str, Sequence[str]]:
    """Limits that some case fits, and some case does not."""
    while True:
        one = dice.choice(city.cases)
        given: dict[str, Sequence[str]] = {
            "areas": [one["area"][: dice.choice((6, 9))]] if one["area"] and dice.random() < 0.6 else [],
            "classes": [one["class_code"][:9]] if one["class_code"] and dice.random() < 0.3 else [],
            "systems": [one["owner"] or one["source"]] if dice.random() < 0.3 else [],
            "units": one["units"][:1] if dice.random() < 0.4 else [],
        }
        seen = sum(covered(given, case) for case in city.cases)
        if 0 < seen < len(city.cases):
            return given


def covered(given: Mapping[str, Sequence[str]], case: Mapping[str, Any]) -> bool:
    """By plain Python: whether these limits cover the case."""
    scope = Scope("", **{kind: tuple(ones) for kind, ones in given.items()})  # type: ignore[arg-type]
    return scope.covers(
        area=case["area"], class_code=case["class_code"], systems=(case["source"], case["owner"]), units=case["units"]
    )


def ids(city: City, cases: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Values of parameters by their names: ids of these cases, and what is nobody's."""
    hub, known = city.hub, [case["id"] for case in cases]
    configuration = hub.configuration

    def of(table: str) -> list[str]:
        return [str(row["id"]) for row in hub.rows(f"SELECT id FROM {table} WHERE case_id = ANY($1) LIMIT 40", known)]

    def every(table: str) -> list[str]:
        return [str(row["id"]) for row in hub.rows(f"SELECT id FROM {table}")]

    today, _, day = hub.rows("SELECT to_char(now() AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD') AS day")[0][
        "day"
    ].rpartition("-")
    local = [row["external_id"] for row in hub.rows("SELECT external_id FROM binding WHERE case_id = ANY($1)", known)]
    numbers = [case["no"] for case in cases]
    return {
        "number": [*numbers, *local], "case_no": numbers, "case": numbers, "delivery": of("delivery"),
        "message": of("message"), "replay": every("replay"),
        "unit": sorted({unit for case in cases for unit in case["units"]}) or ["3402-urban"],
        "login": ["administrator"], "system": sorted(configuration.systems)[:3], "what": ["sending"],
        "period": [today], "column": ["report", "in_time_dispose_rate"], "counter": ["report", "need_dispose"],
        "subject": ["*"], "by": ["unit", "district"], "reason": ["示例理由"], "grid": ["340202012001001"],
        "class": ["30428.2:E04-06"], "format": ["json", "csv", "html", "xlsx"], "whole": ["false"],
        "day": [f"{today}-{day}"],
    }  # fmt: skip


def person(city: City, login: str, role: Role, given: Mapping[str, Sequence[str]]) -> httpx.Client:
    """Somebody who has signed in."""
    return city.desk.person(login, role, **{kind: ones for kind, ones in given.items() if ones})


@pytest.fixture(scope="module")
def everybody(city: City) -> dict[Role, httpx.Client]:
    """One of each role, without more limits than the role must have."""
    given = {Role.DISTRICT_CENTRE: {"areas": ["340202"]}, Role.STREET_CENTRE: {"areas": ["340202016"]}}
    given[Role.UNIT] = {"units": ["3402-urban"]}
    return {role: person(city, f"{role}".replace("_", "."), role, given.get(role, {})) for role in Role}


def test_each_door_says_which_right_it_asks_for_and_what_changes_something_asks_for_more_than_a_look(
    city: City,
) -> None:
    nobody = {"GET /api/health", "GET /api/lifecycle", "GET /api/asyncapi.json"}
    without = {str(one) for one in city.routes if not one.rights}
    lax = {
        str(one)
        for one in city.routes
        if one.method != SAFE and not any(set(door.split("|")) <= CHANGING for door in one.rights)
    }

    assert without == nobody
    assert lax == set()


@pytest.mark.parametrize("role", Role)
def test_a_role_without_the_right_is_not_let_in(city: City, everybody: dict[Role, httpx.Client], role: Role) -> None:
    dice = random.Random(str(role))
    filler = city.filler(city.cases, dice)
    before = changed(city)
    denied = [one for one in city.routes if not let_in(one, role)]
    found = {str(one): next(filler.plain(one)).of(everybody[role], filler.bodied(one)) for one in denied}

    assert {name: answer.status_code for name, answer in found.items() if answer.status_code != 403} == {}
    assert {answer.json()["error"]["code"] for answer in found.values()} == {"forbidden"}
    assert changed(city) == before


def test_every_route_answers_somebody_and_the_doors_of_cases_tell_of_them(
    city: City, everybody: dict[Role, httpx.Client]
) -> None:
    """Otherwise what follows would look at nothing."""
    filler = city.filler(city.cases, random.Random(1))
    unfilled = {str(one): filler.unfilled(one) for one in city.routes if filler.unfilled(one)}
    assert unfilled == {}, "say in `ids` where their values come from, or in ELSEWHERE why they are not asked"
    every = set().union(*(case["telling"] for case in city.cases))
    seers = (Role.CITY_CENTRE, Role.AUDITOR, Role.ADMINISTRATOR)
    silent, telling = set(), set()
    for one in (route for route in city.routes if route.method == SAFE):
        client = next(everybody[role] for role in seers if let_in(one, role))
        askings = [*filler.plain(one), *filler.lured(one)]
        answers = [asking.of(client) for asking in askings]
        good = [text_of(answer) for answer in answers if answer.status_code == 200]
        silent |= set() if good else {f"{one}: {answers[0].status_code} {answers[0].text[:200]}"}
        telling |= {one.path} if any(every & set(TELLING.findall(text)) for text in good) else set()

    assert silent == set()
    assert telling >= TELLING_OF_CASES


@pytest.mark.parametrize(("seed", "role"), list(enumerate(PEOPLE)))
def test_no_door_shows_a_case_outside_the_scope(city: City, seed: int, role: Role) -> None:
    dice = random.Random(seed)
    given = limits(city, dice)
    client = person(city, f"somebody{seed}", role, given | needed(city, role, given))
    seen = [case for case in city.cases if covered(given, case)]
    hidden = [case for case in city.cases if not covered(given, case)]
    secret = set().union(*(case["telling"] for case in hidden)) - set().union(*(case["telling"] for case in seen))
    own, others = city.filler(seen, dice), city.filler(hidden, dice)
    found: Counter[int] = Counter()
    for route in (one for one in city.routes if one.method == SAFE):
        for asking in (*own.plain(route), *others.plain(route), *others.lured(route)):
            answer = asking.of(client)
            found[answer.status_code] += 1
            assert answer.status_code < 500, (asking, answer.text)
            told = set(TELLING.findall(text_of(answer))) & secret
            assert told - set(TELLING.findall(asking.given)) == set(), (role, given, asking)
    before = changed(city)
    for route in (one for one in city.routes if one.method != SAFE):
        for asking in others.plain(route):
            answer = asking.of(client, others.bodied(route))
            assert answer.status_code < 500, (asking, answer.text)
            told = set(TELLING.findall(text_of(answer))) & secret
            assert told - set(others.lures) - set(TELLING.findall(asking.given)) == set(), (role, given, asking)
    assert changed(city) == before
    assert found[200] > 20


def needed(city: City, role: Role, given: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Limits that the role must have and that hide nothing more: all beginnings, all units."""
    every = {"areas": ["3402"], "units": sorted(city.hub.configuration.city.responsibility.units)}
    return {kind: every[kind] for kind in LIMITED_BY.get(role, ()) if not given.get(kind)}


def changed(city: City) -> list[dict[str, Any]]:
    """What nobody may change from outside: cases, deliveries, and everything that is done to the whole city."""
    return city.hub.rows(
        "SELECT (SELECT sum(version) FROM cases) AS cases, (SELECT count(*) FROM switch) AS switches,"
        " (SELECT count(*) FROM replay) AS replays, (SELECT count(*) FROM person) AS people,"
        " (SELECT string_agg(id::text || state, ',' ORDER BY id) FROM delivery) AS deliveries,"
        " (SELECT count(*) FROM statement) AS statements, (SELECT count(*) FROM message) AS messages"
    )  # fmt: skip
