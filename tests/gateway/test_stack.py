"""The stack runs as it would in production: cases go round through both gateways, and what is killed comes back."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from canonical.errors import Misconfigured
from gateway.stack.ports import Ports
from gateway.stack.run import Plan, Stack
from gateway.stack.supervisor import NotUp, Program, State, Supervisor
from tests.gateway.running import until

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def program(name: str, command: list[str], *, healthy: Callable[[], bool] = lambda: True, grace: float = 5) -> Program:
    return Program(name, command, os.environ, healthy, grace=grace)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return False
    return state != "Z"


# The supervisor


def test_what_dies_is_started_again_and_what_is_stopped_is_not(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        supervisor.start(program("one", SLEEP), program("two", SLEEP))
        supervisor.wait("one", "two")
        first = supervisor.kill("one")
        until(
            lambda: supervisor.status()[0].restarts == 1 and supervisor.status()[0].state is State.UP, what="a restart"
        )
        supervisor.stop("two")
        one, two = supervisor.status()
        assert one.pid not in (None, first)
        assert (two.state, two.pid, two.restarts) == (State.STOPPED, None, 0)


def test_a_program_that_dies_at_once_is_tried_later_and_later(tmp_path: Path) -> None:
    count = tmp_path / "count"
    script = f"import pathlib; f = pathlib.Path({str(count)!r}).open('a'); f.write('x'); f.close()"
    with Supervisor(tmp_path) as supervisor:
        supervisor.start(program("fails", [sys.executable, "-c", script]))
        until(lambda: count.exists() and len(count.read_text()) >= 3, what="three tries")
        restarts, seconds = supervisor.status()[0].restarts, 2.0
        assert restarts >= 2
        with pytest.raises(AssertionError):
            until(lambda: len(count.read_text()) > 6, seconds=seconds)


def test_waiting_for_one_that_ended_shows_the_end_of_its_log(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        supervisor.start(
            program("fails", [sys.executable, "-c", "raise SystemExit('no such port')"], healthy=lambda: False)
        )
        with pytest.raises(NotUp, match="no such port"):
            supervisor.wait("fails")


def test_one_that_does_not_want_to_end_is_killed_with_what_it_started(tmp_path: Path) -> None:
    children = tmp_path / "child"
    script = (
        "import signal, subprocess, sys, time, pathlib; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        f"pathlib.Path({str(children)!r}).write_text(str(child.pid)); time.sleep(600)"
    )
    with Supervisor(tmp_path) as supervisor:
        supervisor.start(program("stubborn", [sys.executable, "-c", script], healthy=children.exists, grace=0.5))
        supervisor.wait("stubborn")
        [row] = supervisor.status()
    assert row.pid is not None
    until(lambda: not alive(row.pid or 0) and not alive(int(children.read_text())), what="the end of both")


def test_programs_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    sleep = [sys.executable, "-c", f"import pathlib, time; pathlib.Path({str(runs)!r}).touch(); time.sleep(600)"]
    script = (
        "import os, sys, time; from pathlib import Path; from gateway.stack.supervisor import Program, Supervisor\n"
        f"with Supervisor(Path({str(tmp_path)!r})) as supervisor:\n"
        f"    supervisor.start(Program('one', {sleep!r}, os.environ, Path({str(runs)!r}).exists))\n"
        "    supervisor.wait('one'); print(supervisor.status()[0].pid, flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        pid = int(supervisor.stdout.readline())
        assert alive(pid)
        supervisor.kill()
        supervisor.wait()
    until(lambda: not alive(pid), what="the end of the program")


def test_a_taken_port_is_named_before_anything_starts(free_port: Callable[[], int]) -> None:
    import socket

    base = free_port()
    with socket.create_server(("127.0.0.1", base)), pytest.raises(Misconfigured, match=f"port {base} is taken"):
        Ports(base)


# The whole


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that the servers' account may pass through, also where root runs the tests."""
    with tempfile.TemporaryDirectory(prefix="gridhub-stack-") as made:
        Path(made).chmod(0o711)
        yield Path(made)


@pytest.fixture
def stack(open_folder: Path) -> Iterator[Stack]:
    simulated = ("--seed", "7", "--set", "gap=1", "--set", "attempts=60")
    plan = Plan(open_folder, base_port=0, rate=0, without=frozenset({"prometheus"}), simulated=simulated)
    with Stack(plan) as running:
        for _ in running.start():
            pass
        yield running


def emit(stack: Stack, system: str, number: int) -> list[str]:
    answer = httpx.post(f"{stack.address(system)}/_sim/emit", json={"n": number}, timeout=30, trust_env=False)
    assert answer.status_code == 200, answer.text
    return [str(one) for one in answer.json()["ids"]]


def settled(stack: Stack) -> dict[str, object]:
    """The books, once nobody works and nothing waits."""

    def still() -> bool:
        try:
            return not stack.busy() and stack.ask("/api/summary", 0)["messages"]["waiting"] == 0
        except httpx.HTTPError:
            return False

    until(lambda: still() and still(), seconds=120, what="settling")
    books: dict[str, object] = stack.ask("/api/summary", 1)
    return books


@pytest.mark.slow
@pytest.mark.xdist_group("stack")
def test_cases_go_round_through_both_gateways_while_parts_are_killed(stack: Stack) -> None:
    supervisor = stack.supervisor
    pids = {row.name: row.pid for row in supervisor.status()}
    assert {row.state for row in supervisor.status()} == {State.UP}

    told = emit(stack, "hotline", 5)  # pushes to the first gateway
    told += emit(stack, "grid", 5)  # to the other one
    killed = ["gateway-1", "gateway-2", "deliver-1", "poll"]
    for name in killed:
        assert supervisor.kill(name) == pids[name]
        told += emit(stack, "hotline", 2) + emit(stack, "grid", 2)
    until(
        lambda: all(row.restarts and row.state is State.UP for row in supervisor.status() if row.name in killed),
        seconds=90, what="all of them coming back",
    )  # fmt: skip
    books = settled(stack)

    assert books["balance"] == {"equations": dict.fromkeys(books["balance"]["equations"], True), "holds": True}  # type: ignore[index]
    messages = books["messages"]
    assert isinstance(messages, dict)
    assert messages["acknowledged"] > len(told) == 26
    assert messages["waiting"] == 0
    verdicts = {id_: {row["verdict"] for row in stack.ask("/api/journal", external_id=id_)["items"]} for id_ in told}
    assert {id_: found for id_, found in verdicts.items() if not found & {"case", "joined", "quarantined"}} == {}
    untouched = {name: pid for name, pid in pids.items() if name not in killed}
    assert {row.name: row.pid for row in supervisor.status() if row.name in untouched} == untouched
    for name in ("gateway-1", "gateway-2", "deliver-1", "deliver-2", "poll", "receive"):
        assert "Traceback" not in (stack.folder / "log" / f"{name}.log").read_text(), name
