"""`gridhub duty` and `/api/duty`: who is on duty as people ask, names masked, refusals that say what to write."""

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from canonical.findings import Severity
from gateway.api import create_app
from gateway.cli.main import app
from gateway.configuration import read
from gateway.hub import wire
from gateway.settings import example_city, settings
from tests.gateway.running import CENTRE_SECRET, ENVIRONMENT

GRID, STALL, TREE = "340202016003003", "30428.2:E04-06", "30428.2:P04-08"
NIGHT, LEAVE = "2026-10-03T23:10", "2026-10-09T10:00"
NAME = re.compile(r"[赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜][甲乙丙丁戊己庚辛壬癸]")


@pytest.fixture(scope="module")
def api() -> Any:
    """The whole application on the example city; nothing here asks the database, so none is there."""
    told = settings(example_city(), ENVIRONMENT | {"GRIDHUB_CENTRE_TOKEN": CENTRE_SECRET})
    return create_app(wire(told, "postgresql+asyncpg://nobody@127.0.0.1:9/none"))


def get(api: Any, path: str = "/api/duty", *, token: str = CENTRE_SECRET, **query: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=api)
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            return await client.get(path, params=query, headers={"authorization": f"Bearer {token}"})

    return asyncio.run(ask())


def typed(*words: str, folder: Path | None = None) -> Result:
    where = ["--config", str(folder or example_city())]
    return CliRunner(env={"COLUMNS": "80", "TERM": "dumb"}).invoke(app, ["duty", *words, *where])


def test_the_api_says_who_is_on_duty_in_which_order_and_why(api: Any) -> None:
    said = get(api, grid=GRID, **{"class": TREE, "at": LEAVE}).json()

    assert [one["officer"] for one in said["on"][:2]] == ["3402-landscape-01", "3402-landscape-04"]
    assert said["on"][0]["why"].startswith("team/grids.csv G178: 340202016003003 of industry grid YL-02, order 1")
    [stand_in] = [one for one in said["on"] if one["stands_in_for"]]
    assert (stand_in["officer"], stand_in["for_unit"]) == ("340202016-office-04", "340202016-office")
    assert (said["grid_title"], said["at"], said["nobody"]) == ("凤凰山社区 第三网格", "2026-10-09T10:00:00+08:00", "")


def test_a_zone_is_heard_and_without_one_it_is_shanghai(api: Any) -> None:
    asked = [get(api, grid=GRID, **{"class": STALL, "at": at}).json() for at in (NIGHT, "2026-10-03T15:10Z")]

    assert asked[0] == asked[1]
    assert [one["officer"] for one in asked[0]["on"]] == ["3402-duty-04"]


def test_names_are_masked_where_nobody_has_a_right_to_them(api: Any) -> None:
    bodies = [
        get(api, grid=GRID, **{"class": TREE, "at": LEAVE}).text,
        get(api, "/api/duty/load", at=LEAVE).text,
        typed("--review", "--json").stdout,
    ]
    plain = typed("--grid", GRID, "--class", TREE, "--at", LEAVE, "--plain").stdout

    assert [NAME.findall(body) for body in bodies] == [[]] * 3
    assert '"name":"' in bodies[0]
    assert json.loads(bodies[2])["items"][0]["officer"] == "3402-duty-01"
    assert NAME.findall(plain)


@pytest.mark.parametrize(
    ("query", "status", "code", "said"),
    [
        ({}, 422, "invalid", "query.grid"),
        ({"grid": GRID}, 422, "invalid", "query.class"),
        ({"grid": "340202016003008", "class": STALL}, 404, "unknown_grid", "did you mean '340202016003003'?"),
        ({"grid": "", "class": STALL}, 404, "unknown_grid", "15 digits"),
        ({"grid": "9" * 5000, "class": STALL}, 404, "unknown_grid", "no unit grid"),
        ({"grid": GRID, "class": "E04-06"}, 422, "invalid", "30428.2:E04-06"),
        ({"grid": GRID, "class": "30428.2:E04-99"}, 404, "unknown_class", "did you mean"),
        ({"grid": GRID, "class": "30428.2:E٠٤-06"}, 422, "invalid", "not a class code"),
        ({"grid": GRID, "class": STALL, "at": "yesterday"}, 422, "invalid", "write 2026-10-03T23:10"),
        ({"grid": GRID, "class": STALL, "at": "0001-01-01T00:00Z"}, 200, "", ""),
        ({"grid": GRID, "class": STALL, "at": "9999-12-31T23:59"}, 200, "", ""),
        ({"grid": GRID, "class": STALL, "at": "9999-12-31T23:59-12:00"}, 422, "invalid", "not a time"),
        ({"grid": "\0", "class": STALL}, 422, "contract", "U+0000"),
    ],
)
def test_a_question_that_cannot_be_answered_says_what_to_write(
    api: Any, query: dict[str, str], status: int, code: str, said: str
) -> None:
    answer = get(api, **query)

    assert answer.status_code == status
    assert len(answer.text) < 2000 or status == 200
    if status != 200:
        assert answer.json()["error"]["code"] == code
        assert said in answer.json()["error"]["text"] + answer.json()["error"]["hint"]


@pytest.mark.parametrize("path", ["/api/duty", "/api/duty/load"])
def test_nobody_is_told_without_the_token(api: Any, path: str) -> None:
    assert get(api, path, token="wrong", grid=GRID, **{"class": STALL}).status_code == 401


def test_the_terminal_tells_it_in_eighty_columns() -> None:
    result = typed("--grid", GRID, "--class", STALL, "--at", NIGHT)
    review = typed("--review", "--at", NIGHT)

    assert result.exit_code == review.exit_code == 0
    assert " 1  3402-duty-04 李* handler 处置人员" in result.stdout
    assert "on leave: team/roster.csv L001" in result.stdout
    assert "一格多员: 221 grids, at most 4 in 340202016004002" in review.stdout
    assert NAME.findall(result.stdout) == []
    assert max(map(cell_len, [*result.stdout.splitlines(), *review.stdout.splitlines()])) <= 80


def test_the_load_adds_up(api: Any) -> None:
    said = get(api, "/api/duty/load", at=LEAVE).json()
    grids, loads = said["grids"], {one["officer"]: one for one in said["items"]}

    parts = ("without_officer", "from_above", "one_officer", "several_officers")
    assert sum(grids[part] for part in parts) == grids["all"] == 2770
    assert said["officers"]["several_industry_grids"] == 1
    assert loads["3402-landscape-01"]["industry_grids"] == ["YL-01", "YL-02"]
    assert loads["3402-landscape-01"]["grids"] == loads["3402-landscape-01"]["in_charge"] == 110
    assert 5900 < loads["3402-duty-01"]["square_kilometres"] < 6100  # the city's real area is 6,009 km²


def test_nobody_on_duty_ends_with_one_and_says_why(folder: Path) -> None:
    grids = folder / "team" / "grids.csv"
    rows = grids.read_text(encoding="utf-8").splitlines()
    grids.write_text("\n".join(row for row in rows if "3402-duty" not in row) + "\n", encoding="utf-8")

    result = typed("--grid", GRID, "--class", STALL, "--at", NIGHT, folder=folder)

    assert result.exit_code == 1
    assert "无人当班: none of the 8 officers who have 30428.2:E04-06" in result.stdout


def test_wrong_usage_and_what_is_not_there_have_their_exit_codes(folder: Path) -> None:
    assert typed("--grid", GRID).exit_code == 2
    assert typed("--grid", GRID, "--class", STALL, "--at", "soon").exit_code == 2
    assert typed("--grid", "340202016003008", "--class", STALL).exit_code == 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copied = tmp_path / "config"
    shutil.copytree(example_city(), copied)
    return copied


def test_a_city_without_a_team_works_as_before_and_says_so(folder: Path) -> None:
    path = folder / "city.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"^team:\n(  .*\n)+", "", text, flags=re.MULTILINE), encoding="utf-8")
    shutil.rmtree(folder / "team")

    configuration, findings = read(folder, {}, unset=Severity.WARNING)
    result = typed("--review", folder=folder)

    assert configuration is not None
    assert configuration.city.team is None
    assert "team" not in configuration.city.editions
    assert [one for one in findings if one.severity is Severity.ERROR] == []
    assert (result.exit_code, "keeps no officers" in result.output) == (5, True)


def test_a_check_shows_what_is_wrong_with_the_team(folder: Path) -> None:
    grids, roster = folder / "team" / "grids.csv", folder / "team" / "roster.csv"
    with roster.open("a", encoding="utf-8") as file:
        file.write("S900,3402-nobody-01,shift,every,working,,2026-01-01,,\n")
    with grids.open("a", encoding="utf-8") as file:
        file.write("G900,340202016-office-01,340202016002,1,2026-01-01,,\n")

    _, findings = read(folder, ENVIRONMENT)

    said = [str(one) for one in findings if one.file.startswith("team/")]
    assert said[-1] == (
        "team/roster.csv:26: error: officer: '3402-nobody-01' is no officer of officers.csv, or that row is wrong; "
        "did you mean '3402-duty-01'?"
    )
    assert said[0] == (
        "team/grids.csv:212: warning: order: G067 (line 69) and G900: 340202016-office-02 and 340202016-office-01 are "
        "both in charge of 340202016002 at once, as on 2026-01-04 08:00-12:00"
    )
    assert len(said) == 2
