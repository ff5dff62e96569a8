"""What Prometheus reads: what came in and what stands still, by system; never a case, a person, a word from outside."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.figures import Watch
from gateway.hub import wire
from gateway.settings import example_city
from tests.gateway.outside import LITTER, push
from tests.gateway.pushes import GRID, HOTLINE, NAME, PHONE, URBAN, grid, hotline, record, ticket
from tests.gateway.running import CENTRE_SECRET, ENVIRONMENT, City, HubUnderTest, until

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: str) -> Samples:
    """Every sample by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    """One sample; 0 where nothing was counted yet."""
    return samples.get((name, frozenset(labels.items())), 0.0)


def metrics(hub: HubUnderTest) -> Samples:
    answer = hub.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return read(answer.text)


def test_what_comes_in_is_counted_by_system_and_by_what_became_of_it(hub: HubUnderTest) -> None:
    before = metrics(hub)
    pushes = [hotline(ticket("1")), hotline(ticket("2")), hotline(ticket("3"), token="wrong")]
    pushes += [hotline(ticket("4", accordType="9x99")), grid(record("5"))]
    for one in pushes:
        one.to(hub)
    after = metrics(hub)

    def more(system: str, outcome: str, verdict: str) -> float:
        labels = {"system": system, "outcome": outcome, "verdict": verdict}
        name = "gridhub_intake_messages_total"
        return value(after, name, **labels) - value(before, name, **labels)

    assert more(HOTLINE, "accepted", "case") == 2
    assert more(HOTLINE, "refused", "refused") == 1
    assert more(HOTLINE, "deferred", "quarantined") == 1
    assert more(GRID, "accepted", "case") == 1
    name = "gridhub_intake_batch_messages_sum"
    assert value(after, name) - value(before, name) == len(pushes)
    name = "gridhub_intake_commit_seconds_count"
    assert 0 < value(after, name) - value(before, name) <= len(pushes)


def test_no_metric_holds_a_citizen_a_case_or_a_word_from_outside(hub: HubUnderTest) -> None:
    earlier = systems_of(hub.client.get("/metrics").text)  # counters are the process's: other tests have run in it
    hotline(ticket("1", accordType=PHONE, rqstTitle=NAME)).to(hub)
    hub.client.post(f"/in/{NAME}", content=b"x")
    hub.client.post("/in/nobody-here", content=b"x")
    hotline(ticket("2")).to(hub)
    text = hub.client.get("/metrics").text
    said = "\n".join(line.rsplit(" ", 1)[0] for line in text.splitlines())  # a time may hold any digits
    for word in (NAME, PHONE, "nobody-here", "t-1", hub.cases()[0]["no"]):
        assert word not in said, word
    systems = systems_of(text)
    assert HOTLINE in systems
    assert systems - earlier <= {*hub.configuration.systems, "centre"}


def systems_of(text: str) -> set[str | None]:
    """The systems that are named in metrics."""
    return {dict(labels).get("system") for _, labels in read(text)} - {None}


def test_what_waits_is_told_by_system_and_state_with_its_age(hub: HubUnderTest) -> None:
    hotline(ticket("1")).to(hub)
    hub.rows("UPDATE delivery SET created_at = created_at - interval '1 hour'")

    samples = metrics(hub)

    [delivery] = hub.rows("SELECT system, state FROM delivery WHERE system = $1", URBAN)
    assert value(samples, "gridhub_deliveries", system=URBAN, state=delivery["state"]) == 1
    assert value(samples, "gridhub_deliveries", system=URBAN, state="parked") == 0
    assert 3600 <= value(samples, "gridhub_delivery_oldest_seconds", system=URBAN) < 3700
    assert value(samples, "gridhub_delivery_oldest_seconds", system=GRID) == 0
    assert value(samples, "gridhub_database_up") == 1


def test_what_a_person_has_to_decide_is_told_and_is_not_taken_for_slow(hub: HubUnderTest) -> None:
    hotline(ticket("1")).to(hub)
    hub.rows("UPDATE delivery SET state = 'parked', created_at = created_at - interval '1 hour'")

    samples = metrics(hub)

    assert value(samples, "gridhub_deliveries", system=URBAN, state="parked") == 1
    assert value(samples, "gridhub_delivery_oldest_seconds", system=URBAN) == 0


def test_the_database_is_asked_again_after_seconds_only(hub: HubUnderTest) -> None:
    hotline(ticket("1")).to(hub)
    first = metrics(hub)
    hub.rows("DELETE FROM delivery")

    again = metrics(hub)

    name, labels = "gridhub_delivery_oldest_seconds", {"system": URBAN}
    assert value(again, name, **labels) == value(first, name, **labels) > 0


def test_a_database_that_is_gone_is_a_figure_not_a_failure(hub: HubUnderTest) -> None:
    lost = wire(hub.settings, "postgresql+asyncpg://gridhub@127.0.0.1:9/gridhub", configuration=hub.configuration)

    samples = read(asyncio.run(Watch(lost).page()).decode())

    assert value(samples, "gridhub_database_up") == 0
    assert ("gridhub_database_up", frozenset()) in samples


# The processes


@contextmanager
def gridhub(database_url: str, *arguments: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command as a process of its own."""
    told = {"GRIDHUB_DATABASE_URL": database_url, "GRIDHUB_CENTRE_TOKEN": CENTRE_SECRET}
    told |= {"GRIDHUB_CONFIG": str(example_city())}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", *arguments], env=os.environ | ENVIRONMENT | told, stdout=output,
            stderr=output, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def test_a_worker_tells_its_own_figures_at_a_port_of_its_own(
    database_url: str, free_port: Callable[[], int], tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "log"
    with gridhub(database_url, "work", "--role", "deliver", "--metrics-port", str(port), log=log) as process:
        until(
            lambda: process.poll() is not None or answers(f"http://127.0.0.1:{port}/health"),
            seconds=60,
            what="the page",
        )
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        assert httpx.get(f"http://127.0.0.1:{port}/in/hotline_12345", trust_env=False).status_code == 404
    assert process.returncode == 0, log.read_text()
    names = {name for name, _ in read(text)}
    assert "gridhub_intake_messages_created" in names or "process_cpu_seconds_total" in names
    assert not any(name.startswith("gridhub_deliveries") for name in names)


def test_a_metrics_port_that_is_taken_is_told_and_nothing_runs(
    database_url: str, free_port: Callable[[], int], tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "log"
    with gridhub(database_url, "work", "--metrics-port", str(port), log=log) as first:
        until(
            lambda: first.poll() is not None or answers(f"http://127.0.0.1:{port}/health"), seconds=60, what="the page"
        )
        with gridhub(database_url, "work", "--metrics-port", str(port), log=tmp_path / "second") as second:
            assert second.wait(90) == 3
    assert f"port {port}" in (tmp_path / "second").read_text()


@pytest.mark.slow
def test_processes_behind_one_port_count_together(
    database_url: str, free_port: Callable[[], int], tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "log"
    url = f"http://127.0.0.1:{port}"
    with gridhub(database_url, "serve", "--port", str(port), "--processes", "2", log=log) as process:
        until(lambda: process.poll() is not None or answers(f"{url}/api/health"), seconds=60, what="the doors")
        for number in range(8):
            one = hotline(ticket(f"{number}"))
            with httpx.Client(base_url=url, trust_env=False, timeout=10) as client:  # a connection each: any process
                assert client.post("/in/hotline_12345", content=one.body, headers=dict(one.headers)).is_success
        seen = set()
        for _ in range(4):
            samples = read(httpx.get(f"{url}/metrics", trust_env=False).text)
            labels = {"system": HOTLINE, "outcome": "accepted", "verdict": "case"}
            seen.add(value(samples, "gridhub_intake_messages_total", **labels))
    assert seen == {8.0}


# What a worker does


def test_what_a_worker_settles_is_counted_by_system_and_state(city: City) -> None:
    before = metrics(city.hub)
    push(city.hub, "1")
    push(city.hub, "2", LITTER)
    city.settled()
    after = metrics(city.hub)

    rows = city.hub.rows("SELECT system, count(*) AS n FROM delivery WHERE state = 'acknowledged' GROUP BY system")
    assert len(rows) > 1
    name = "gridhub_delivery_attempts_total"
    counted = {row["system"]: more(before, after, name, system=row["system"], state="acknowledged") for row in rows}
    assert counted == {row["system"]: row["n"] for row in rows}
    for step in ("leaving", "ending"):
        assert more(before, after, "gridhub_settle_batch_deliveries_sum", step=step) >= sum(row["n"] for row in rows)


def more(before: Samples, after: Samples, name: str, **labels: str) -> float:
    return value(after, name, **labels) - value(before, name, **labels)


def test_who_works_whose_breaker_is_open_and_what_is_switched_off(hub: HubUnderTest) -> None:
    hub.rows(
        "INSERT INTO worker (id, host, pid, roles, started_at, seen_at, breakers)"
        " VALUES (gen_random_uuid(), 'here', 7, 'deliver poll', now(), now(), $1)", json.dumps({URBAN: "open"}),
    )  # fmt: skip
    hub.rows(
        "INSERT INTO worker (id, host, pid, roles, started_at, seen_at)"
        " VALUES (gen_random_uuid(), 'gone', 8, 'deliver', now(), now() - interval '1 hour')"
    )
    switched = {"off": True, "actor": "operator-7", "reason": "示例维护"}
    hub.client.put(f"/api/systems/{GRID}/switches/sending", json=switched, headers=hub.centre)

    samples = metrics(hub)

    assert value(samples, "gridhub_workers", role="deliver") == 1
    assert value(samples, "gridhub_workers", role="fetch") == 0
    assert value(samples, "gridhub_breakers_open", system=URBAN) == 1
    assert value(samples, "gridhub_breakers_open", system=GRID) == 0
    assert value(samples, "gridhub_switched_off", system=GRID, what="sending") == 1
    assert value(samples, "gridhub_switched_off", system=GRID, what="retry") == 0


def test_how_many_differences_of_reconciliation_are_open_and_since_when(hub: HubUnderTest) -> None:
    for subject, days, signed in (("a", 3, False), ("b", 1, False), ("c", 9, True)):
        hub.rows(
            "INSERT INTO difference (id, system, subject, class, mark, case_no, part, external_id, our_state,"
            " their_state, text, first_seen, last_seen, statement_id, signed_at) VALUES (gen_random_uuid(), $1, $2,"
            " 'state_differs', '', '', '', '', '', '', '', now() - make_interval(days => $3), now(),"
            " gen_random_uuid(), CASE WHEN $4 THEN now() END)", URBAN, subject, days, signed,
        )  # fmt: skip

    samples = metrics(hub)

    assert value(samples, "gridhub_differences_open", system=URBAN) == 2
    assert value(samples, "gridhub_differences_open", system=GRID) == 0
    assert value(samples, "gridhub_difference_oldest_seconds", system=URBAN) == pytest.approx(3 * 86400, abs=60)
    assert value(samples, "gridhub_difference_oldest_seconds", system=GRID) == 0
