"""The control doors under `/_sim/` and the page for people at `/`. Not part of any contract."""

import json
from html import escape

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulators.system import System

_RECENT = 30


def control_routes(system: System) -> list[BaseRoute]:
    """state, summary, items, behaviour, emit, quiet, lose, change; all JSON."""

    async def state(request: Request) -> Response:
        return JSONResponse(_state(system, int(request.query_params.get("limit", _RECENT))))

    async def summary(_request: Request) -> Response:
        return JSONResponse(summary_of(system))

    async def items(_request: Request) -> Response:
        return JSONResponse(system.items())

    async def behaviour(request: Request) -> Response:
        try:
            system.behaviour = system.behaviour.changed(await _json(request))
        except ValidationError as error:
            findings = [{"at": ".".join(map(str, one["loc"])), "why": one["msg"]} for one in error.errors()]
            return JSONResponse({"findings": findings}, status_code=400)
        return JSONResponse(system.behaviour.model_dump(by_alias=True))

    async def emit(request: Request) -> Response:
        number = (await _json(request)).get("n", 1)
        if type(number) is not int or not 0 <= number <= 10_000:
            return JSONResponse({"findings": [{"at": "n", "why": "a number from 0 to 10000"}]}, status_code=400)
        return JSONResponse({"ids": system.emit(number)})

    async def quiet(request: Request) -> Response:
        system.quiet = (await _json(request)).get("quiet", True) is True
        return JSONResponse({"quiet": system.quiet, "busy": system.busy})

    async def lose(request: Request) -> Response:
        given = await _json(request)
        return _found(system.lose(str(given.get("id", ""))))

    async def change(request: Request) -> Response:
        given = await _json(request)
        return _found(system.change_silently(str(given.get("id", "")), str(given.get("state", ""))))

    async def page(_request: Request) -> Response:
        return HTMLResponse(_page(system))

    return [
        Route("/", page),
        Route("/_sim/state", state),
        Route("/_sim/summary", summary),
        Route("/_sim/items", items),
        Route("/_sim/behaviour", behaviour, methods=["POST"]),
        Route("/_sim/emit", emit, methods=["POST"]),
        Route("/_sim/quiet", quiet, methods=["POST"]),
        Route("/_sim/lose", lose, methods=["POST"]),
        Route("/_sim/change", change, methods=["POST"]),
    ]


def _found(found: bool) -> Response:
    return JSONResponse({"done": found}, status_code=200 if found else 404)


SUMMARY = (
    "emitted", "accepted", "refused", "unanswered", "received", "signed", "returned", "delayed", "finished",
    "satisfied", "dissatisfied", "calls", "repeated", "tried_again", "garbage", "garbage_accepted", "dropped_answers",
    "unauthenticated", "refusals",
)  # fmt: skip
"""Counts every summary has, also when they are 0; a system adds its own."""


def summary_of(system: System) -> dict[str, object]:
    """Counts, `busy` jobs, and how many items are in which state. A run has drained when quiet and `busy` is 0."""
    states: dict[str, int] = {}
    for item in system.items():
        states[item["state"]] = states.get(item["state"], 0) + 1
    counts = dict.fromkeys(SUMMARY, 0) | {str(name): number for name, number in system.counts.items()}
    return {**counts, "busy": system.busy, "quiet": system.quiet, "states": states, "failures": len(system.failures)}


def _state(system: System, limit: int) -> dict[str, object]:
    return {
        "system": system.name,
        "title": system.title,
        "hub": system.setup.hub,
        "seed": system.setup.seed,
        "behaviour": system.behaviour.model_dump(by_alias=True),
        "summary": summary_of(system),
        "state_titles": dict(system.state_titles),
        "failures": list(system.failures),
        "recent": system.items()[-limit:],
        "received": [exchange.row() for exchange in system.received][-limit:],
        "pushed": [exchange.row() for exchange in system.pushed][-limit:],
    }


async def _json(request: Request) -> dict[str, object]:
    body = await request.body()
    try:
        value = json.loads(body) if body else {}
    except ValueError:
        return {"": "not JSON"}
    return value if isinstance(value, dict) else {"": "not an object"}


_PAGE = """<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta http-equiv="refresh" content="3">
<title>{title}</title><style>body{{font:15px/1.5 sans-serif;margin:2rem;max-width:70rem}}
table{{border-collapse:collapse}}
td,th{{border:1px solid #ccc;padding:.2rem .6rem;text-align:left;vertical-align:top}}h2{{margin-top:1.5rem}}</style>
<h1>{title}</h1><p>模拟系统 simulated system <b>{name}</b> · hub {hub} · seed {seed} · {speed}</p>
<h2>办理状态 States</h2><table>{states}</table><h2>计数 Counts</h2><table>{counts}</table>
<h2>最近 Recent</h2><table><tr><th>编号 No.<th>状态 State<th>内容 Title</tr>{recent}</table>
<p>JSON: <a href="/_sim/state">/_sim/state</a> · <a href="/_sim/summary">/_sim/summary</a> ·
<a href="/_sim/items">/_sim/items</a></p></html>"""


def _page(system: System) -> str:
    summary = summary_of(system)
    states = summary.pop("states")
    assert isinstance(states, dict)
    titles = system.state_titles
    recent = [(item["no"], titles.get(item["state"], item["state"]), item["title"]) for item in system.items()[-20:]]
    speed = "静止 quiet" if system.quiet else f"每分钟 {system.behaviour.rate:g} 件 per minute"
    return _PAGE.format(
        title=escape(system.title),
        name=escape(system.name),
        hub=escape(system.setup.hub),
        seed=system.setup.seed,
        speed=speed,
        states=_rows([(f"{titles.get(name, name)} ({name})", number) for name, number in states.items()]),
        counts=_rows(summary.items()),
        recent=_rows(reversed(recent)),
    )


def _rows(rows: object) -> str:
    assert hasattr(rows, "__iter__")
    return "".join("<tr>" + "".join(f"<td>{escape(str(cell))}" for cell in row) + "</tr>" for row in rows)
