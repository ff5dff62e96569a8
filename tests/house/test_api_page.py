"""docs/api.md names every path of the API, every field of an order, and every code with its status."""

import re
from pathlib import Path
from typing import Any

import pytest

from gateway.api import STATUS, create_app
from gateway.hub import wire
from gateway.orders import ActionOrder, PlaceOrder
from gateway.settings import example_city, settings

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
NAMES = ("HOTLINE_URL", "HOTLINE_TOKEN", "URBAN_URL", "URBAN_VALIDATE", "GRID_URL", "GRID_TOKEN")


@pytest.fixture(scope="module")
def paths() -> dict[str, Any]:
    """The described paths and their methods. The database is not asked for them, so none is there."""
    told = settings(example_city(), dict.fromkeys(NAMES, "http://127.0.0.1:9"))
    front = create_app(wire(told, "postgresql+asyncpg://nobody@127.0.0.1:9/none"))
    return dict(front.api.openapi()["paths"])


def test_the_page_lists_the_paths_there_are(paths: dict[str, Any]) -> None:
    described = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    api = {call for call in described if " /api/" in call} | {"GET /api/openapi.json"}

    assert set(re.findall(r"^\| `((?:GET|POST|PUT|DELETE) \S+)`", PAGE, re.MULTILINE)) == api


def test_each_query_value_is_named(paths: dict[str, Any]) -> None:
    for path in ("/api/cases", "/api/clocks", "/api/cockpit/ranking", "/api/journal"):
        [row] = re.findall(rf"^\| `GET {path}` .*", PAGE, re.MULTILINE)
        assert [one["name"] for one in paths[path]["get"]["parameters"] if f"`{one['name']}`" not in row] == []


def test_the_fields_of_an_order_are_named() -> None:
    [fields] = re.findall(r"^Fields: .*?\. What", PAGE, re.MULTILINE | re.DOTALL)

    assert [name for name in (*ActionOrder.model_fields, *PlaceOrder.model_fields) if f"`{name}`" not in fields] == []


def test_each_reason_stands_beside_its_status() -> None:
    rows = dict(re.findall(r"^\| (\d{3}) \| (.*) \|$", PAGE, re.MULTILINE))

    assert {why: status for why, status in STATUS.items() if f"`{why}`" not in rows[str(status)]} == {}
