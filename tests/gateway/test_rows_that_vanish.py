"""A list that is read whole: what it no longer shows is withdrawn, where the declaration says so."""

import json
from collections.abc import Callable
from pathlib import Path

from gateway.configuration import Configuration
from tests.gateway.market import folder, joined
from tests.gateway.running import HubUnderTest, until
from tests.gateway.test_receivers import RECEIVE, Desk, desk, ids

__all__ = ["desk"]

LIST = (
    "table: {name: desk.complaint, key: [id], columns: [id, title, kind, note], mode: reload,"
    " gone: {note: 对方已删除}, gone_after: 0}"
)
WITHDRAWN = """\
direction: in
title: 撤回
when: {note: 对方已删除}
contract: withdrawn.schema.json
external_id: {from: id}
action:
  status: {from: note}
  steps: {对方已删除: {kinds: {source: cancel}, reason: 对方清单中已不存在}}
"""


def test_a_case_whose_row_is_gone_is_cancelled_with_the_declared_reason(
    start_hub: Callable[..., HubUnderTest], configuration: Configuration, tmp_path: Path, desk: Desk
) -> None:
    declared = folder(tmp_path, LIST)
    system = (declared / "system.yaml").read_text(encoding="utf-8")
    contract = {"type": "object", "properties": {"id": {}, "note": {}}}
    for name, text in {
        "messages/withdrawn.yaml": WITHDRAWN, "contract/withdrawn.schema.json": json.dumps(contract),
        "system.yaml": system.replace("[complaint]", "[withdrawn, complaint]"),
    }.items():  # fmt: skip
        (declared / name).write_text(text, encoding="utf-8")
    hub = start_hub(loaded=joined(configuration, declared, url=desk.url), doors=False)
    desk.put(1, 3)
    hub.start_worker(RECEIVE)
    until(lambda: ids(hub) == ["1", "2", "3"], what="the cases")

    desk.run("DELETE FROM desk.complaint WHERE id = 2")
    cancelled = "SELECT b.external_id FROM cases c JOIN binding b ON b.case_id = c.id WHERE c.stage = 'cancelled'"
    until(lambda: hub.rows(cancelled), what="the withdrawal")

    assert [row["external_id"] for row in hub.rows(cancelled)] == ["2"]
    desk.put(4, 4)
    until(lambda: ids(hub) == ["1", "2", "3", "4"], what="a later row")
    told = hub.rows("SELECT verdict FROM message WHERE direction = 'in' ORDER BY at")
    assert [row["verdict"] for row in told] == ["case", "case", "case", "applied", "case"]
