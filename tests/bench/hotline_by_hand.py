"""The hotline's ticket read by Python that somebody wrote by hand: the reference of tests/bench/mapping.py.

The same contract check, the same code tables, the same values and the same reading as adapters/hotline_12345 gives.
"""

import csv
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema_rs

from canonical.codes import ClassCode
from canonical.errors import UnmappedCode
from canonical.reading import Reading

_ZONE = ZoneInfo("Asia/Shanghai")


def _table(folder: Path, name: str) -> dict[str, str]:
    with (folder / "codes" / f"{name}.csv").open(encoding="utf-8") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {row["local"]: row["canonical"] for row in rows}


def _code(table: dict[str, Any], code: object, *, keep: bool = False) -> Any:
    if code in (None, ""):
        return None
    text = str(code).strip()
    if text not in table:
        if keep:
            return text
        raise UnmappedCode("a code without a row")
    return table[text]


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=_ZONE) if text else None


def _limit(limit: dict[str, Any] | None, units: dict[str, str]) -> dict[str, Any] | None:
    if not limit or limit.get("value") in (None, ""):
        return None
    return {"value": int(limit["value"]), "unit": _code(units, limit.get("unit"))}


def reader(folder: Path) -> Callable[[dict[str, Any]], Reading]:
    """A function from the ticket (the object `params`) to its reading."""
    schema = json.loads((folder / "contract" / "task.schema.json").read_text(encoding="utf-8"))
    valid = jsonschema_rs.Draft202012Validator(schema).is_valid
    given = _table(folder, "accord_types")
    classes = {code: ClassCode.parse(text) if text not in {"", "text only"} else None for code, text in given.items()}
    importance, units = _table(folder, "importance"), _table(folder, "limit_units")
    channels, shares = _table(folder, "channels"), _table(folder, "task_types")

    def read(ticket: dict[str, Any]) -> Reading:
        if not valid(ticket):
            raise ValueError("contract")
        sent = _time(ticket.get("sendTime"))
        at = _time(ticket.get("answerDeadline"))
        report: dict[str, Any] = {
            "title": ticket.get("rqstTitle"), "description": ticket.get("rqstContent"),
            "class_code": _code(classes, ticket.get("accordType")), "given_class": ticket.get("accordType"),
            "address": ticket.get("rqstAddress"), "given_area": ticket.get("rqstAreaCode") or ticket.get("areaCode"),
            "reported_at": _time(ticket.get("rqstTime")),
            "reporter": {
                "name": ticket.get("rqstPerson"), "phone": ticket.get("linkNumber") or ticket.get("rqstNumber"),
                "withheld": str(ticket.get("isSecret")) == "1",
            },
            "urgency": _code(importance, ticket.get("isImpt")),
            "attachments": [
                {"url": file["attachUrl"], "name": file.get("attachName") or "", "id": file.get("attachGuid") or ""}
                for file in ticket.get("attachList") or ()
            ],
            "deadline": {"at": at, "limit": _limit(ticket.get("finishLimit"), units), "since": sent},
            "sign_deadline": {"limit": _limit(ticket.get("signLimit"), units), "since": sent},
            "channel": _code(channels, ticket.get("rqstSource"), keep=True),
            "share": _code(shares, ticket.get("taskType")), "opinion": ticket.get("opinion"),
            "extra": {
                name: str(ticket[name]) for name in ("rqstType", "rqstSource", "sex", "userType", "replayType")
                if ticket.get(name) not in (None, "")
            },
        }  # fmt: skip
        report = {name: value for name, value in report.items() if value not in (None, "")}
        report["reporter"] = {name: value for name, value in report["reporter"].items() if value}
        return Reading.model_validate(
            {
                "system": "s",
                "kind": "task",
                "edition": "2026.1",
                "external_id": ticket["taskGuid"],
                "case_key": ticket.get("rowGuid") or "",
                "visible_no": ticket.get("serialNum") or "",
                "report": report,
            }
        )

    return read
