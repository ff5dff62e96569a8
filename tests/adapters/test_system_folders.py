"""The contract suite of system folders. It finds them by itself and names none."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

import adapters
from adapters import Reply, System
from adapters.code_table import REST, read_code_table
from adapters.contract import Contract, read_contract
from adapters.samples import body_of, inbound_samples, outbound_samples, written
from canonical.errors import Unacceptable, Why
from canonical.findings import Finding
from canonical.message import Verdict
from canonical.reading import Outcome, Reading
from tests.adapters.systems import FOLDERS, inbound, loaded, sample

SYSTEMS = {folder.name: loaded(folder) for folder in FOLDERS}
INBOUND = [sample.path for folder in FOLDERS for sample in inbound_samples(folder)]
OUTBOUND = [path for folder in FOLDERS for path in outbound_samples(folder)]
CONTRACTS = [path for folder in FOLDERS for path in sorted(folder.glob("contract/*.schema.json"))]
READINGS = TypeAdapter(list[Reading])
QUICK = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])

by_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
by_sample = pytest.mark.parametrize("path", INBOUND, ids=lambda path: f"{path.parts[-3]}/{path.name}")


def system_of(path: Path) -> System:
    return SYSTEMS[path.parts[-3]]


def test_three_systems_are_shipped() -> None:
    assert {"hotline_12345", "urban_management", "social_governance"} <= set(adapters.shipped())


@by_folder
def test_a_folder_has_no_findings(folder: Path) -> None:
    assert adapters.check(folder) == []


@by_sample
def test_a_sample_reads_as_its_golden_reading(path: Path) -> None:
    golden = path.with_name(path.name.split(".in.")[0] + ".reading.json")

    assert system_of(path).read(sample(path)) == READINGS.validate_json(golden.read_bytes())


@pytest.mark.parametrize("path", OUTBOUND, ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_an_outbound_message_writes_as_its_golden(path: Path) -> None:
    golden = json.loads(path.read_text(encoding="utf-8"))

    message = written(system_of(path), golden)

    document = body_of(message)
    assert (message.path, document) == (golden["path"], golden["body"])
    if isinstance(document, dict):  # the order of a SOAP operation's arguments matters
        assert list(document) == list(golden["body"])


@by_folder
def test_every_message_of_a_folder_has_a_sample(folder: Path) -> None:
    system = SYSTEMS[folder.name]
    read = {
        reading["kind"] for path in folder.glob("samples/*.reading.json") for reading in json.loads(path.read_text())
    }
    wrote = {json.loads(path.read_text(encoding="utf-8"))["message"] for path in folder.glob("samples/*.out.json")}

    assert read == {plan.name for entrance in system.entrances.values() for plan in entrance.plans}
    assert wrote >= set(system.outbound)
    assert wrote <= set(system.writers)


@by_folder
def test_every_verdict_and_reason_has_a_reply(folder: Path) -> None:
    system = SYSTEMS[folder.name]
    for door in system.doors:
        for verdict in Verdict:
            for why in (None, *Why):
                reply = system.reply(inbound(b"", door=door.name), Outcome(verdict, why=why, text="x"))
                assert 200 <= reply.status < 600


def told(reply: Reply) -> tuple[int, bytes]:
    return reply.status, reply.body


@by_folder
def test_success_is_answered_otherwise_than_refusal(folder: Path) -> None:
    system = SYSTEMS[folder.name]
    for door in system.doors:
        if len(system.replies[door.name].rows) == 1:
            continue  # the other side reads no more than that the message arrived
        message = inbound(b"", door=door.name)
        taken = (Verdict.CASE, Verdict.REPEATED, Verdict.HELD)
        accepted = {told(system.reply(message, Outcome(verdict))) for verdict in taken}
        refused = {told(system.reply(message, Outcome(Verdict.REFUSED, why=why))) for why in Why}
        assert not accepted & refused


@by_folder
def test_a_table_reads_or_writes_and_only_a_writing_one_knows_the_rest(folder: Path) -> None:
    for path in folder.glob("codes/*.csv"):
        findings: list[Finding] = []
        table = read_code_table(path, findings, name=path.name)
        assert table is not None
        assert findings == []
        assert table.rows
        assert table.reverse is path.stem.endswith("_out")
        assert table.reverse or REST not in table.rows


@by_folder
def test_what_the_city_tells_a_system_is_declared(folder: Path) -> None:
    system = SYSTEMS[folder.name]
    for messages in system.role.tells.values():
        assert set(messages.values()) <= set(system.outbound)


def only_readings_or_refusals(answers: list[Reading | Unacceptable]) -> None:
    assert all(isinstance(answer, Reading | Unacceptable) for answer in answers)


@by_folder
@QUICK
@given(body=st.binary(max_size=400), kind=st.sampled_from(["", "application/json", "text/xml", "multipart/form-data; boundary=b", "multipart/form-data", "application/x-www-form-urlencoded"]))  # fmt: skip  # noqa: E501
def test_any_bytes_give_a_reading_or_a_refusal(folder: Path, body: bytes, kind: str) -> None:
    system = SYSTEMS[folder.name]
    for door in system.entrances:
        only_readings_or_refusals(system.receive(inbound(body, door=door, content_type=kind)))
        only_readings_or_refusals(system.read(inbound(body, door=door, content_type=kind)))


ODDITIES = ["", "0", "1", "0401", "2026-05-20 08:00:00", "9999-99-99 99:99:99", "NaN", "1e999", "٣"]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(ODDITIES),
)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=5), SCALARS, max_size=3)


def places(document: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document."""
    yield where
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, below in items:
        yield from places(below, (*where, key))


def replaced(document: Any, where: tuple[Any, ...], value: object) -> Any:
    """The document with another value at one place."""
    if not where:
        return value
    copy = document.copy()
    copy[where[0]] = replaced(document[where[0]], where[1:], value)
    return copy


@pytest.mark.parametrize(
    "path", [p for p in INBOUND if p.suffix == ".json"], ids=lambda path: f"{path.parts[-3]}/{path.name}"
)
@QUICK
@given(data=st.data())
def test_a_changed_sample_gives_a_reading_or_a_refusal(path: Path, data: st.DataObject) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    for _ in range(data.draw(st.integers(1, 3))):
        where = data.draw(st.sampled_from(list(places(document))))
        document = replaced(document, where, data.draw(VALUES))
    door = path.name.split(".")[0]

    only_readings_or_refusals(system_of(path).read(inbound(orjson.dumps(document), door=door)))


def read(path: Path) -> Contract:
    findings: list[Finding] = []
    contract = read_contract(path, findings, name=path.name)
    assert contract is not None
    assert findings == []
    return contract


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: f"{path.parts[-3]}/{path.name}")
@QUICK
@given(data=st.data())
def test_both_validators_agree(path: Path, data: st.DataObject) -> None:
    contract = read(path)
    properties = contract.schema.get("properties", {"x": {}})
    documents = st.dictionaries(st.sampled_from(list(properties)), VALUES, max_size=len(properties))
    document = orjson.loads(orjson.dumps(data.draw(documents)))

    assert contract.accepts(document) is contract.agrees(document)


@by_sample
def test_both_validators_agree_on_samples_with_one_member_missing(path: Path) -> None:
    system, message = system_of(path), sample(path)
    entrance = system.entrances[message.door]
    document = entrance.document(entrance.shape(message))
    plan = next((plan for plan in entrance.plans if plan.fits(document)), None)
    if plan is None or not isinstance(document, dict):
        return  # told apart by what stands around it, or a list of documents
    for missing in document:
        rest = {key: value for key, value in document.items() if key != missing}
        assert plan.contract.accepts(rest) is plan.contract.agrees(rest)


@by_folder
def test_writing_twice_gives_the_same_bytes(folder: Path) -> None:
    system = SYSTEMS[folder.name]
    for path in outbound_samples(folder):
        golden = json.loads(path.read_text(encoding="utf-8"))
        assert written(system, golden) == written(system, golden)
