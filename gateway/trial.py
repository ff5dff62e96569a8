"""One file tried against a system: how every field came about, what nobody used, and what would happen next.

Nothing is stored and no network is reached. A folder alone can be tried, before any city is connected to it.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from adapters import System
from adapters.field_names import personal
from adapters.samples import InboundSample
from adapters.trace import Traced, TracedField, trace
from adapters.value import empty
from canonical.errors import HubError, Misconfigured, Unacceptable
from canonical.findings import Severity
from canonical.message import Message
from canonical.reading import Reading
from canonical.report import Report
from gateway.configuration import Configuration
from gateway.configuration import read as read_configuration
from gateway.hub import clock, fresh_id
from gateway.masking import masked_name, masked_phone
from gateway.reading import bare, found_system, message_of, view
from gateway.settings import settings
from routing.city import City
from routing.responsibility import NoMatch
from routing.units import CENTRE

_PHONE = re.compile(r"(?<![0-9])(1[3-9][0-9]{9}|0[0-9]{2,3}-?[0-9]{7,8})(?![0-9])")
_IDENTITY = re.compile(r"(?<![0-9A-Za-z])[1-9][0-9]{5}(?:19|20)[0-9]{9}[0-9Xx](?![0-9A-Za-z])")


def try_file(given: str, file: Path, *, door: str, config: Path | None, plain: bool) -> list[dict[str, Any]]:
    """Every document of the file, explained as JSON values; `refusal` where it is not acceptable.

    `given`: a system of the city, a shipped adapter or a folder. `plain`: personal data unmasked.
    """
    configuration = _city(config)
    folder, system = found_system(given, configuration)
    message = _message(system, file, door)
    return [
        _told(one, folder, configuration, plain=plain, door=through)
        for through, one in _traced(system, message, door or message.door)
    ]


def keep_golden(given: str, file: Path, config: Path | None) -> Path:
    """Write what a sample reads as beside it, for checks to come. Raises Misconfigured, Unacceptable."""
    folder, _ = found_system(given, _city(config))
    if ".in." not in file.name or file.resolve().parent != (folder / "samples").resolve():
        raise Misconfigured(f"{file}: a sample is kept as {folder}/samples/<door>.<what>.in.<ext>")
    golden = file.with_name(file.name.split(".in.")[0] + ".reading.json")
    sample = InboundSample(file, golden)
    readings = bare(folder.resolve()).read(sample.message("s"))
    write_golden(golden, readings)
    return golden


def write_golden(path: Path, contents: Sequence[Reading | Unacceptable]) -> None:
    """The readings as the golden file of a sample. Raises Unacceptable when one is a refusal."""
    for one in contents:
        if isinstance(one, Unacceptable):
            raise one
    golden = [one.model_dump(mode="json", exclude_defaults=True) for one in contents if isinstance(one, Reading)]
    path.write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _city(config: Path | None) -> Configuration | None:
    """The city's configuration; None when the one in use cannot be read, which a trial of a folder does not need."""
    return read_configuration(settings(config).config, os.environ, unset=Severity.WARNING)[0]


def _message(system: System, file: Path, door: str) -> Message:
    """A stored sample with what stands beside it; else a body or a whole HTTP request."""
    sample = InboundSample(file, file)
    if not door and ".in." in file.name and sample.door in system.entrances:
        return replace(sample.message(system.role.id), id=fresh_id())
    return message_of(file.read_bytes(), system=system.role.id, http=file.suffix == ".http", now=clock())


def _traced(system: System, message: Message, door: str) -> list[tuple[str, Traced]]:
    """Through the door named; else through the first one that makes something of it."""
    names = [door] if door else list(system.entrances)
    attempts = [(name, _through(system, replace(message, door=name))) for name in names]
    if not attempts:
        raise Misconfigured(f"{system.role.id} declares nothing inbound")
    good = (one for one in attempts if one[1] and all(isinstance(each.content, Reading) for each in one[1]))
    name, found = next(good, max(attempts, key=lambda one: sum(bool(each.fields) for each in one[1])))
    return [(name, one) for one in found]


def _through(system: System, message: Message) -> list[Traced]:
    if message.door not in {pull.name for pull in system.pulls}:
        return trace(system, message)
    try:
        items = system.page(message.door, message, now=message.at, ids=fresh_id).items
    except HubError:  # no page: it is read as one item, and that says what is wrong
        return trace(system, message)
    return [one for item in items for one in trace(system, item)] or trace(system, message)


def _told(
    traced: Traced, folder: Path, configuration: Configuration | None, *, plain: bool, door: str
) -> dict[str, Any]:
    content, seen = traced.content, _of_this_status(traced.fields)
    full = [one for one in seen if one.trouble or not empty(one.value)]
    told: dict[str, Any] = {
        "door": door, "message": traced.kind, "file": traced.file and f"{folder.name}/{traced.file}",
        "external_id": content.external_id if isinstance(content, Reading) else content.key,
        "fields": [_field(one, plain=plain) for one in full],
        "empty": [one.field for one in seen if one not in full],
        "unused": {path: shown(value, path, plain=plain) for path, value in traced.unused},
        "codes": [
            {"code": one.code, "table": one.table, "path": _first(one), "field": one.field}
            for one in traced.fields if one.code
        ],
    }  # fmt: skip
    if isinstance(content, Unacceptable):
        return told | {"refusal": _refusal(content, traced)}
    return told | ({"next": _next(content, configuration, plain=plain)} if configuration and content.report else {})


def _of_this_status(fields: tuple[TracedField, ...]) -> list[TracedField]:
    """Without what the message would say with another status."""
    status = next((str(one.value) for one in fields if one.field == "action.status"), "")
    mine = f"action.steps.{status}."
    return [one for one in fields if not one.field.startswith("action.steps.") or one.field.startswith(mine)]


def _first(field: TracedField) -> str:
    return next((path for path, _ in field.raw), "")


def _field(field: TracedField, *, plain: bool) -> dict[str, Any]:
    hint = field.field
    return {
        "field": field.field, "value": shown(field.value, hint, plain=plain), "rule": field.rule, "line": field.line,
        "raw": {path: shown(value, f"{hint}.{path}", plain=plain) for path, value in field.raw},
        "trouble": field.trouble,
    }  # fmt: skip


def _refusal(content: Unacceptable, traced: Traced) -> dict[str, Any]:
    """Why, where in the message, and which line of the declaration looks there."""
    at_fault = [one for one in traced.fields if one.trouble]
    looking = [one for one in traced.fields if content.at and content.at in [path for path, _ in one.raw]]
    field = next(iter(at_fault + looking), None)
    line = f"{traced.file}:{field.line} {field.field}" if field else traced.file
    return {"text": str(content), "why": str(content.why), "at": content.at, "declared": line}


def _next(reading: Reading, configuration: Configuration, *, plain: bool) -> dict[str, Any]:
    """The place that is found, and which unit the work would go to."""
    assert reading.report
    seen, city = view(reading, configuration), configuration.city
    place = {key: shown(value, key, plain=plain) for key, value in seen["place"].items()}
    place |= {key: round(place[key], 6) for key in ("lon", "lat") if key in place}
    due = (seen["source_due"] or {}).get("at", "")
    return {"place": place, "due": due, **_work(reading.report, seen["place"], city)}


def _work(report: Report, place: Mapping[str, Any], city: City) -> dict[str, Any]:
    entry = city.catalogue.classes.get(report.class_code) if report.class_code else None
    if report.class_code is None:
        return {"class": "", "unit": CENTRE, "because": "no class was given: the centre classifies it"}
    if entry is None:
        return {"class": str(report.class_code), "unit": CENTRE, "because": "the city's catalogue has no such class"}
    named = {"class": f"{report.class_code} {entry.name}"}
    if not (place.get("grid") or place.get("area")):
        return named | {"unit": CENTRE, "because": "the place is not known: the centre places it"}
    standard, _ = city.catalogue.standard_for(entry.code, f"{report.title} {report.description}", report.urgency)
    now = clock()
    where = place.get("grid") or place.get("area") or city.code
    found = city.responsibility.match(entry.code, where, now, city.calendar.is_working(now))
    named |= {"standard": f"{standard.id} {standard.limit.value} {standard.limit.unit}", "acceptance": entry.acceptance}
    if isinstance(found, NoMatch) or found.unit == CENTRE:
        return named | {"unit": CENTRE, "because": found.why}
    unit = city.responsibility.units[found.unit]
    return named | {"unit": f"{unit.id} {unit.name}", "carried_by": unit.system or "", "because": found.why}


def shown(value: Any, hint: str, *, plain: bool) -> Any:  # noqa: ANN401
    """A value as it may be shown: names by their field's name, phones and identity numbers wherever they stand."""
    if isinstance(value, Mapping):
        return {key: shown(below, f"{hint}.{key}", plain=plain) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [shown(below, hint, plain=plain) for below in value]
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if value is None or isinstance(value, bool | float):
        return value
    text = f"<{len(value)} bytes>" if isinstance(value, bytes) else str(value)
    if plain:
        return text
    kind = personal(hint)
    if kind == "name":
        return masked_name(text)
    if kind and kind != "number":
        return masked_phone(text)
    return numbers_masked(text, identities=kind != "number")


def numbers_masked(text: str, *, identities: bool = True) -> str:
    """A text with telephones and identity numbers masked, wherever they stand in it."""
    text = _PHONE.sub(lambda found: masked_phone(found[0]), text)
    return _IDENTITY.sub(_masked_identity, text) if identities else text


def _masked_identity(found: re.Match[str]) -> str:
    """Identity numbers end in a check character (GB 11643); a case number that only looks like one stays."""
    digits = found[0]
    weighted = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(digits[:17]))
    return masked_phone(digits) if "10X98765432"[weighted % 11] == digits[17].upper() else digits
