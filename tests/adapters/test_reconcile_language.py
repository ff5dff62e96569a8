"""`reconcile` in a declaration: what is read of an item, and findings with file, line and what was meant."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

import adapters
from adapters import System
from adapters.reconciling import stages_of
from adapters.samples import ID, NOW
from canonical.lifecycle import ENDED, Stage
from canonical.message import Message
from canonical.reconciliation import Theirs
from tests.adapters.systems import loaded

ISSUE = {"issueId": "YH1", "status": 2, "createdAt": 1764000000000, "updatedAt": 1764000060000, "attachments": [{}]}

Changed = Callable[..., Path]


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    """A copy of a shipped folder with some text replaced: `changed("work_safety", "old", "new", file=...)`."""

    def change(name: str, old: str, new: str, file: str = "system.yaml") -> Path:
        folder = tmp_path / name
        if not folder.exists():
            shutil.copytree(adapters.shipped()[name], folder)
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
        return folder

    return change


def read(name: str, item: Any) -> Theirs:
    reconciling = loaded(adapters.shipped()[name]).reconciling
    assert reconciling is not None
    return reconciling.theirs(item)


def test_an_item_is_read_with_its_state_in_our_words_for_each_part() -> None:
    item = read("work_safety", ISSUE)

    assert (item.external_id, item.state, item.attachments, item.trouble) == ("YH1", "2", 1, "")
    assert item.stages[""] is not None
    assert Stage.CHECKED in item.stages[""]
    assert item.stages["both"] is not None
    assert Stage.CHECKED not in item.stages["both"]
    assert item.changed_at is not None
    assert item.expected


def test_what_need_not_be_here_is_known_as_such() -> None:
    assert not read("work_safety", ISSUE | {"status": 4}).expected
    assert read("work_safety", ISSUE | {"status": 9}).expected  # a state nobody knows is shown


@pytest.mark.parametrize(
    ("changes", "trouble"),
    [
        ({"status": 9}, "a code without a row in codes/states.csv"),
        ({"status": None}, "it tells no state"),
        ({"issueId": None}, "it has no id"),
        ({"updatedAt": "yesterday"}, "changed_at"),
        ({"status": {"a": 1}}, "a single value is expected"),
    ],
)
def test_what_cannot_be_read_of_an_item_is_told_and_never_guessed(changes: dict[str, Any], trouble: str) -> None:
    assert trouble in read("work_safety", ISSUE | changes).trouble


@pytest.mark.parametrize("item", [None, 7, "text", [], {}, [{"issueId": 1}], {"issueId": [1], "status": {}}])
def test_any_item_is_read_without_an_error(item: Any) -> None:
    assert read("work_safety", item).trouble


def test_a_cell_names_stages_or_groups_of_them() -> None:
    assert stages_of("filed handling") == {Stage.FILED, Stage.HANDLING}
    assert stages_of("ended") == ENDED
    assert stages_of("open ended") == stages_of("any") == frozenset(Stage)
    with pytest.raises(ValueError, match="'handled' is no stage; did you mean 'handling'"):
        stages_of("handled")


def test_the_answer_about_one_case_is_read_as_the_declaration_says() -> None:
    system: System = loaded(adapters.shipped()["open311_client"])
    assert system.reconciling is not None
    body = [{"service_request_id": "SR-1", "status": "OPEN ", "updated_datetime": "2026-05-20T08:30:00+08:00"}]
    answer = Message(system="s", body=orjson.dumps(body), at=NOW, id=ID, status=200)
    _, document = system.heard("get_request", answer)

    [item] = system.reconciling.heard(document, answer)

    found = system.reconciling.theirs(item)
    assert (found.external_id, found.state, found.stages) == (
        "SR-1", "open", {"": frozenset({Stage.DISPATCHED, Stage.HANDLING})},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("work_safety", "by: list", "by: lists", "'query', 'list' or 'told'"),
        ("work_safety", "pull: issues", "pull: isues", "no pull 'isues'; did you mean 'issues'?"),
        ("open311_client", "by: query\n  ask:", "by: list\n  pull: tokens\n  ask:", "write by: query"),
        ("work_safety", "ask: get_issue", "ask: get_isue", "no outbound message 'get_isue'; did you mean 'get_issue'?"),
        ("work_safety", "states: states", "states: stats", "no table codes/stats.csv; did you mean 'states'?"),
        ("work_safety", "state: {from: status}", "state: {from: statu}", "no 'statu'"),
        ("work_safety", "settle: 900", "settel: 900", "unknown key; did you mean 'settle'?"),
        ("work_safety", "  pull: issues\n", "", "by: list needs pull"),
        ("work_safety", "    external_id: {from: issueId}\n", "", "external_id (or reference) is missing"),
        ("work_safety", "  states: states\n", "", "states: the code table of its words is missing"),
        ("work_safety", "daily: 02:40", "daily: 24:40", "pattern"),
        ("work_safety", "daily: 02:40", "daily: 02:40\n  every: 600", "one of the two"),
        ("work_safety", "daily: 02:40", "every: 60", "at least 300 seconds"),
        ("work_safety", "daily: 02:40", "cases: [owner, sorce]", "'source' or 'owner'"),
        ("work_safety", "state: {from: status}", "state: {from: status, codes: states}", "states has the table"),
        ("work_safety", "{from: updatedAt, time: epoch_ms}", "{from: updatedAt}", "needs a pattern"),
        ("open311_client", "  ask: [get_request, get_token]\n", "", "by: query needs ask"),
        ("open311_client", "messages: [status]\n  daily", "messages: [statos]\n  daily", "no inbound message 'statos'"),
        ("open311_client", "daily: 02:30", "cases: [source]", "'source' is not among its roles (owner)"),
        ("open311_client", "{protocol: http, timeout", "{protocol: mqtt, timeout", "nothing is answered over"),
        ("open311_client", "daily: 02:30", "why: so", "why is for by: told"),
        ("lifeline", "  stale: 1209600\n", "", "by: told needs stale"),
        ("lifeline", "  why:", "  # why:", "by: told needs why"),
        ("lifeline", "  stale:", "  item: {state: {from: x}}\n  stale:", "told: nothing is asked"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found_with_its_line(changed: Changed, name: str, old: str, new: str, expected: str) -> None:
    folder = changed(name, old, new)

    found = [one for one in adapters.check(folder, samples=False) if expected in one.text]

    assert found, [str(one) for one in adapters.check(folder, samples=False)]
    lines = (folder / "system.yaml").read_text(encoding="utf-8").splitlines()
    first = next(number for number, line in enumerate(lines, 1) if line.startswith("reconcile:"))
    last = next(number for number, line in enumerate(lines, 1) if number > first and line[:1].strip())
    assert found[0].file == "system.yaml"
    assert first <= found[0].line < last


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("2,filed", "2,filled", "'filled' is no stage; did you mean 'filed'?"),
        ("2,filed dispatched handling returned disposed checked", "2,unchanged", "cannot stay unchanged"),
    ],
)  # fmt: skip
def test_a_wrong_row_of_the_table_of_states_is_found(changed: Changed, old: str, new: str, expected: str) -> None:
    folder = changed("work_safety", old, new, file="codes/states.csv")

    [found] = [one for one in adapters.check(folder, samples=False) if expected in one.text]

    assert (found.file, found.line > 1) == ("codes/states.csv", True)


def test_no_door_may_have_the_name_that_compared_items_come_by(changed: Changed) -> None:
    folder = changed("open311_client", "  statuses:", "  reconcile:")

    assert any("has the name 'reconcile'" in one.text for one in adapters.check(folder, samples=False))


def test_a_state_that_is_quarantined_is_left_to_people(changed: Changed) -> None:
    folder = changed(
        "open311_client", "closed,disposed checked closed evaluated", "closed,quarantine", file="codes/states.csv"
    )
    reconciling = loaded(folder).reconciling
    assert reconciling is not None

    assert "sets aside for a person" in reconciling.theirs({"service_request_id": "1", "status": "closed"}).trouble
