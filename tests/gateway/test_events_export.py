"""The export of events: every row of every table, of one moment, and nothing of a citizen."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from gateway.settings import example_city
from tests.gateway import forked
from tests.gateway.pushes import NAME, PHONE, hotline, ticket
from tests.gateway.running import ENVIRONMENT, HubUnderTest

TABLES = {"message": "message", "case": "cases", "event": "event", "binding": "binding", "delivery": "delivery"}


def exported(hub: HubUnderTest, *arguments: str) -> bytes:
    """What `gridhub events export` says."""
    told = {"GRIDHUB_DATABASE_URL": hub.database_url, "GRIDHUB_CONFIG": str(example_city())}
    done = forked.run(["events", "export", *arguments], os.environ | ENVIRONMENT | told)
    done.check_returncode()
    return done.stdout.encode()


def rows(output: bytes) -> list[dict[str, Any]]:
    """Its lines."""
    return [json.loads(line) for line in output.splitlines()]


def test_every_row_of_every_table_is_there_and_they_name_each_other(hub: HubUnderTest) -> None:
    for number in range(30):
        hotline(ticket(str(number))).to(hub)
    hotline(ticket("1")).to(hub)
    hotline(ticket("x", accordType="9x99")).to(hub)

    facts = rows(exported(hub))

    counts = Counter(fact["fact"] for fact in facts)
    assert {fact: counts[fact] for fact in TABLES} == {fact: hub.counts()[table] for fact, table in TABLES.items()}
    of_task = [fact for fact in facts if fact.get("external_id") == "t-1"]
    assert [(fact["fact"], fact.get("verdict")) for fact in of_task] == [
        ("message", "case"), ("message", "repeated"), ("binding", None),
    ]  # fmt: skip
    number = of_task[-1]["case_no"]
    actions = [fact["action"] for fact in facts if fact["fact"] == "event" and fact["case_no"] == number]
    assert actions == ["collect", "file", "dispatch"]
    assert [fact["stage"] for fact in facts if fact["fact"] == "case" and fact["no"] == number] == ["dispatched"]


def test_nothing_a_citizen_said_or_is_called_leaves_the_hub(hub: HubUnderTest) -> None:
    hotline(ticket("1")).to(hub)
    hotline(ticket("2", rqstPerson=[NAME], rqstAddress=PHONE)).to(hub)

    output = exported(hub).decode()

    assert len(output.splitlines()) > 5
    case = hub.cases()[0]
    assert [word for word in (NAME, PHONE, case["description"], case["place"]["address"]) if word in output] == []


def test_one_kind_goes_to_a_file_that_is_there_only_when_it_is_whole(hub: HubUnderTest, tmp_path: Path) -> None:
    hotline(ticket("1")).to(hub)
    target = tmp_path / "bindings.ndjson"

    said = exported(hub, "--only", "binding", "--output", str(target))

    assert [fact["fact"] for fact in rows(target.read_bytes())] == ["binding"]
    assert (said, list(tmp_path.iterdir())) == (b"", [target])
