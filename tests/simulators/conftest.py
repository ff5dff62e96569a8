"""A hub that only records, and the simulated systems started against it; everything on real sockets."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulators import Behaviour, Running, Setup, running

CONTRACTS = Path(__file__).parents[2].parent / "shared" / "contracts"
SECRET = "a-secret-of-the-tests"
CNS_OK = {"status": {"code": 200, "text": ""}, "custom": {"code": "1", "text": "操作成功"}}
RET_OK = {"Data": True, "Ret": 0, "ErrCode": 0, "Msg": "成功", "SeqId": 1, "InfoMsg": None}
SOAP_OK = (
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
    '<FNZF_BH_CityManageResponse xmlns="http://tempuri.org/"><FNZF_BH_CityManageResult>success'
    "</FNZF_BH_CityManageResult></FNZF_BH_CityManageResponse></soap:Body></soap:Envelope>"
)
STILL = {
    "rate": 0, "pace": 0.01, "gap": 0.01, "repeat": 0, "return": 0, "delay": 0, "assist": 0, "dissatisfied": 0,
    "rework": 0,
}  # fmt: skip


def until(true: Callable[[], object], *, seconds: float = 5.0) -> None:
    """Wait for something to become true; fail when it does not."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.005)


class RecordingHub:
    """Keeps every request and answers each system as its contract says the hub should."""

    def __init__(self) -> None:
        self.url = ""
        self.reset()

    def reset(self) -> None:
        """Forget everything and be friendly."""
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers = {
            "hotline_12345": json.dumps(CNS_OK),
            "social_governance": json.dumps(RET_OK),
            "urban_management": SOAP_OK,
        }
        self.failing = 0
        """So many more requests are answered with HTTP 500 and nothing else."""
        self.api: Callable[[Request, bytes], Response] = lambda _request, _body: Response(status_code=404)

    async def door(self, request: Request) -> Response:
        self.requests.append((request.url.path, dict(request.headers), await request.body()))
        if self.failing:
            self.failing -= 1
            return Response(status_code=500)
        return Response(self.answers.get(request.path_params["system"], "{}"))

    async def centre(self, request: Request) -> Response:
        body = await request.body()
        self.requests.append((request.url.path, dict(request.headers), body))
        return self.api(request, body)

    def bodies(self) -> list[bytes]:
        return [body for _, _, body in list(self.requests)]


class Side:
    """A simulated system that is up, as a test uses it."""

    def __init__(self, running: Running) -> None:
        self.url, self.system = running
        self.client = httpx.Client(base_url=self.url, timeout=5, trust_env=False, verify=False)

    def post(self, path: str, **how: Any) -> httpx.Response:
        return self.client.post(path, **how)

    def emit(self, number: int = 1) -> list[str]:
        ids: list[str] = self.post("/_sim/emit", json={"n": number}).json()["ids"]
        return ids

    def behave(self, **switches: Any) -> httpx.Response:
        return self.post("/_sim/behaviour", json=switches)

    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = self.client.get("/_sim/summary").json()
        return summary

    def items(self) -> list[dict[str, str]]:
        items: list[dict[str, str]] = self.client.get("/_sim/items").json()
        return items

    def item(self, id_: str) -> dict[str, str]:
        return next(item for item in self.items() if item["id"] == id_)

    def drained(self) -> dict[str, Any]:
        """The summary once no job is at work; none may have failed."""
        until(lambda: self.summary()["busy"] == 0)
        assert self.system.failures == []
        return self.summary()


@pytest.fixture
def hub(recorder: RecordingHub) -> RecordingHub:
    """The recording hub, with nothing recorded yet."""
    recorder.reset()
    return recorder


@pytest.fixture(scope="module")
def recorder() -> Iterator[RecordingHub]:
    """One hub for all tests of a module."""
    recorder = RecordingHub()
    routes = [
        Route("/in/{system}", recorder.door, methods=["POST"]),
        Route("/api/{rest:path}", recorder.centre, methods=["GET", "POST"]),
    ]
    config = uvicorn.Config(Starlette(routes=routes), port=0, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    until(lambda: server.started)
    recorder.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield recorder
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def start(hub: RecordingHub) -> Iterator[Callable[..., Side]]:
    """Start a simulated system against the recording hub: it emits nothing by itself and nothing goes wrong."""
    with ExitStack() as stack:

        def starting(
            name: str, *, options: dict[str, str] | None = None, seed: int = 7, ledger: Path | None = None,
            **switches: Any,
        ) -> Side:  # fmt: skip
            behaviour = Behaviour().changed(STILL | switches)
            told = options or {}
            setup = Setup(hub.url, SECRET, seed, behaviour, quiet=True, timeout=5, options=told, ledger=ledger)
            side = Side(stack.enter_context(running(name, setup)))
            stack.enter_context(side.client)
            return side

        yield starting


@pytest.fixture
def secret() -> str:
    """What both sides agreed."""
    return SECRET


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., None]:
    """Wait for something to become true."""
    return until


@pytest.fixture
def sample() -> Callable[[str, str], bytes]:
    """The bytes of one of the shared contract samples."""

    def read(folder: str, name: str) -> bytes:
        path = CONTRACTS / folder / "samples" / name
        if not path.exists():
            pytest.skip(f"the contract samples are not beside the checkout: {folder}/{name}")
        return path.read_bytes()

    return read
