"""What stands outside the hub: tickets as the hotline pushes them, and processes of the command line."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from gateway.settings import example_city
from simulators.hotline_12345.envelope import pushed
from tests.gateway import forked
from tests.gateway.running import CENTRE_SECRET, ENVIRONMENT, SECRET, HubUnderTest

LAMP, LITTER, CARD = ("0401", "340202"), ("0301", "340202"), ("1201", "340202")
"""accordType and district of a ticket for urban management, for social governance, and for a unit without a system."""


def ticket(name: str, about: tuple[str, str] = LAMP) -> httpx.Request:
    """A push of the hotline as its contract says; its ids are made of `name`."""
    accord_type, district = about
    params = {
        "taskGuid": f"t-{name}", "taskType": "10", "taskTarget": "20", "taskStatus": "10", "rowGuid": f"r-{name}",
        "serialNum": f"DH{name}", "cstatus": "35", "rqstTitle": "示例诉求", "rqstContent": f"反映示例问题{name}。",
        "rqstType": "20", "rqstSource": "DH", "accordType": accord_type, "rqstAreaCode": district, "areaCode": "3402",
        "rqstAddress": "镜湖区赭山街道凤凰山社区", "rqstPerson": "张某某", "sex": "1", "rqstNumber": "138****0001",
        "linkNumber": "13800000001", "userType": "10", "isSecret": "0", "isImpt": "30", "replayType": "20",
        "rqstTime": "2026-03-16 09:12:33", "registerName": "示例话务员01", "sendTime": "2026-03-16 09:40:00",
        "signLimit": {"value": "4", "unit": "1"}, "finishLimit": {"value": "5", "unit": "2"},
        "answerDeadline": "2026-03-23 09:40:00", "opinion": "请核实处理。", "attachList": [],
    }  # fmt: skip
    made = pushed("/in/hotline_12345", params, SECRET, "----cns")
    return httpx.Request("POST", f"http://hub{made.path}", content=made.body, headers=made.headers)


def push(hub: HubUnderTest, name: str, about: tuple[str, str] = LAMP) -> str:
    """Push one ticket that must be accepted; the hub's number of its case."""
    made = ticket(name, about)
    answer = hub.client.post(made.url.path, content=made.content, headers=made.headers)
    assert answer.json()["custom"]["code"] == "1", answer.text
    return str(hub.case(f"t-{name}")["no"])


def environment(hub: HubUnderTest, **urls: str) -> dict[str, str]:
    """What a process of its own needs to work on this hub's database."""
    database = {"GRIDHUB_DATABASE_URL": hub.database_url, "GRIDHUB_CENTRE_TOKEN": CENTRE_SECRET}
    return os.environ | ENVIRONMENT | database | {"GRIDHUB_CONFIG": str(example_city())} | urls


def gridhub(hub: HubUnderTest, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command on the hub's database, run to its end."""
    return typed(environment(hub), *arguments)


def typed(variables: Mapping[str, str], *arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """A command with exactly these environment variables, run to its end."""
    return forked.run([*arguments], variables, seconds=seconds)


def begun(variables: Mapping[str, str], *arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """The same in an interpreter of its own, for a command that starts others."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments], env=dict(variables), capture_output=True, text=True,
        timeout=seconds, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@contextmanager
def process(hub: HubUnderTest, log: Path, *arguments: str, **urls: str) -> Iterator[forked.Forked]:
    """A process of the hub; killed at the end when it still lives."""
    with log.open("wb") as out:
        started = forked.start([*arguments], environment(hub, **urls), output=out)
    try:
        yield started
    finally:
        started.kill()
        started.wait(10)
