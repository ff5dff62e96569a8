"""What citizens really wrote, pushed as tickets of the hotline through the real door: another city's river complaints,
and a petition site's messages. Every one ends visibly, nothing is changed on the way, and the books balance.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from canonical.time import SHANGHAI
from gateway.hub import clock
from simulators.hotline_12345.envelope import pushed
from tests.gateway.running import SECRET, HubUnderTest

FILES = ("fuzhou_river_complaints.jsonl", "citizen_messages_labelled.jsonl")
AT_ONCE = 16
OLDEST = timedelta(days=10950)
"""What the hotline's declaration takes for plausible: no `plausible` of its own, so the default of thirty years."""

RIVER_POLLUTION = "0306"
OF_NATURE = {"咨询": "1401", "建议": "1402"}
OF_LABEL = {
    "城乡建设": "0702", "劳动和社会保障": "1001", "教育文体": "0901", "商贸旅游": "1201", "卫生计生": "1101",
    "环境保护": "0602", "交通运输": "0801",
}  # fmt: skip
"""The petition site's seven labels in the codes of accord_types.csv."""
DISTRICTS = {
    "鼓楼区": "350102", "台江区": "350103", "仓山区": "350104", "马尾区": "350105", "晋安区": "350111",
}  # fmt: skip
"""GB/T 2260 of Fuzhou: real codes that are none of this city's."""
WAYS = {"网站": "WZ", "电话": "DH", "邮件": "SX"}


@dataclass(frozen=True, slots=True)
class Row:
    """One row as a ticket."""

    id: str
    params: dict[str, Any]
    written: datetime | None

    @property
    def plausible(self) -> bool:
        return self.written is None or clock() - self.written < OLDEST


def river_complaint(row: dict[str, Any]) -> Row:
    """Dates come in two spellings, 2020-09-03 and 12/27/2016, and without a time of day."""
    spelling = "%m/%d/%Y" if "/" in row["date"] else "%Y-%m-%d"
    written = datetime.strptime(row["date"], spelling).replace(hour=9, tzinfo=SHANGHAI)
    district = row["district"] or ""
    return _row(
        f"fz-{row['id']}", written, rqstTitle=row["title"], rqstContent=row["content"],
        accordType=OF_NATURE.get(row["nature"], RIVER_POLLUTION), rqstAreaCode=DISTRICTS.get(district, ""),
        rqstAddress=f"{row['city']}{district}{row['river']}", rqstSource=WAYS.get(row["channel"], row["channel"]),
    )  # fmt: skip


def petition(row: dict[str, Any]) -> Row:
    """No place anywhere; subject and time for a third of them."""
    time = row.get("time")
    written = datetime.strptime(time, "%Y/%m/%d %H:%M:%S").replace(tzinfo=SHANGHAI) if time else None
    return _row(
        f"tb-{row['key']}", written, rqstTitle=row.get("subject", ""), rqstContent=row["detail"],
        accordType=OF_LABEL[row["label"]], rqstSource="WZ",
    )  # fmt: skip


def _row(id_: str, written: datetime | None, **fields: Any) -> Row:
    params = {
        "taskGuid": id_, "taskType": "10", "taskStatus": "10", "rowGuid": f"case-{id_}", "cstatus": "35",
        "rqstAreaCode": "", "areaCode": "", "rqstAddress": "", "rqstPerson": "", "linkNumber": "", "isSecret": "1",
        "rqstTime": f"{written:%Y-%m-%d %H:%M:%S}" if written else "",
    }  # fmt: skip
    return Row(id_, params | fields, written)


@pytest.fixture(scope="module")
def rows(shared: Path) -> Sequence[Row]:
    """All rows of both files."""
    complaints, messages = (_lines(shared / "data" / "hotline" / name) for name in FILES)
    return [*map(river_complaint, complaints), *map(petition, messages)]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def push_all(hub: HubUnderTest, rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """The answer to each row, pushed by several callers at once. Every HTTP status must be 200."""
    answers: dict[str, dict[str, Any]] = {}
    waiting = iter(rows)

    async def caller(client: httpx.AsyncClient) -> None:
        for row in waiting:
            made = pushed("/in/hotline_12345", row.params, SECRET, "----cns")
            answer = await client.post(made.path, content=made.body, headers=made.headers)
            assert answer.status_code == 200, row.id
            answers[row.id] = answer.json()

    async def everybody() -> None:
        async with httpx.AsyncClient(base_url=hub.url, timeout=60, trust_env=False, verify=False) as client:
            await asyncio.gather(*(caller(client) for _ in range(AT_ONCE)))

    asyncio.run(everybody())
    return answers


def test_what_citizens_really_wrote_is_taken_word_for_word_or_refused_visibly(
    hub: HubUnderTest, rows: Sequence[Row]
) -> None:
    assert len(rows) > 3000
    plausible = {row.id: row for row in rows if row.plausible}
    too_old = {row.id for row in rows} - plausible.keys()

    answers = push_all(hub, rows)

    said = {
        id_: (answer["custom"]["code"], answer["custom"]["text"].partition("：")[0]) for id_, answer in answers.items()
    }
    assert {id_ for id_, answer in said.items() if answer == ("1", "操作成功")} == plausible.keys()
    assert {id_ for id_, answer in said.items() if answer == ("0", "时间不合理")} == too_old
    journal = hub.rows("SELECT external_id, verdict, why, is_report FROM message")
    assert len(journal) == len(rows)
    assert {row["external_id"] for row in journal if row["verdict"] == "case"} == plausible.keys()
    refused = [row for row in journal if row["verdict"] != "case"]
    assert {row["external_id"] for row in refused} == too_old
    assert {(row["verdict"], row["why"]) for row in refused} <= {("refused", "implausible")}

    stored = hub.rows(
        "SELECT b.external_id, c.state ->> 'title' AS title, c.state ->> 'description' AS description,"
        " c.state -> 'place' ->> 'address' AS address, c.state ->> 'channel' AS channel, c.queue, c.stage"
        " FROM cases c JOIN binding b ON b.case_id = c.id"
    )
    assert len(stored) == len(plausible)
    for case in stored:
        given = plausible[case["external_id"]].params
        assert (case["title"] or "") == given["rqstTitle"]
        assert case["description"] == given["rqstContent"]
        assert (case["address"] or "") == given["rqstAddress"]
    assert Counter(case["queue"] for case in stored) == {"location_unknown": len(plausible)}
    assert {case["stage"] for case in stored} == {"reported"}
    assert {case["no"] for case in hub.cases(queue="location_unknown")} == {
        row["no"] for row in hub.rows("SELECT no FROM cases")
    }

    books = hub.summary()
    assert books["balance"]["holds"], books["balance"]
    assert books["reports"] == {
        "in": len(rows), "cases": len(plausible), "joined": 0, "refused": len(too_old), "quarantined": 0, "repeated": 0,
    }  # fmt: skip
    assert set(hub.orphans().values()) == {0}


def test_the_same_pushed_again_changes_nothing(hub: HubUnderTest, rows: Sequence[Row]) -> None:
    some = [row for row in rows if row.plausible][::4]
    first = push_all(hub, some)
    before = hub.counts()
    cases = hub.rows("SELECT no, version, state::text FROM cases ORDER BY no")

    second = push_all(hub, some)

    assert second == first
    assert hub.counts() == before | {"message": 2 * len(some)}
    assert hub.rows("SELECT no, version, state::text FROM cases ORDER BY no") == cases
    verdicts = Counter(row["verdict"] for row in hub.rows("SELECT verdict FROM message"))
    assert verdicts == {"case": len(some), "repeated": len(some)}
    assert hub.summary()["balance"]["holds"]
