"""The figures of a month, worked out a second time: plain Python over exported events and the city's own YAML.

Nothing of `assessment`, `storage` or `canonical` is used here. Events are the JSON documents of the event table.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

Found = dict[str, Any]
OVER = {"refused", "closed", "evaluated", "cancelled", "merged"}
STRETCHES: Mapping[str, Callable[[str], bool]] = {
    "accept": lambda stage: stage == "reported",
    "verify": lambda stage: stage == "verifying",
    "file": lambda stage: stage in ("reported", "verifying"),
    "dispatch": lambda stage: stage in ("filed", "returned"),
    "sign": lambda stage: stage == "dispatched",
    "check": lambda stage: stage == "disposed",
    "close": lambda stage: stage == "checked",
    "reply": lambda stage: stage not in OVER,
}
HANDED = ("dispatch", "redispatch", "arbitrate", "escalate")
STARTED_BY = {
    "accept": ("collect",), "file": ("collect",), "reply": ("collect",), "verify": ("verify",),
    "dispatch": ("file", "return"), "sign": HANDED, "disposal": (*HANDED, "rework"),
    "case": ("file", "rework"), "check": ("dispose",),
    "close": ("check",),
}  # fmt: skip
STOPPED_BY = {
    "accept": ("verify", "file"), "file": ("file",), "verify": ("file",), "dispatch": HANDED,
    "sign": ("sign", "return", "escalate", "suspend", "dispose"), "disposal": ("dispose",), "case": (),
    "check": ("check", "rework"), "close": ("rework",), "reply": (),
}  # fmt: skip
GOING_ON = ("disposal", "case")
"""Stand still with the case, and go on after rework."""
DESK = {
    "collect": "collector", "join": "collector", "verify": "acceptor", "file": "duty_chief", "refuse": "acceptor",
    "dispatch": "dispatcher", "redispatch": "dispatcher", "sign": "handler", "return": "handler",
    "ask_extension": "handler", "dispose": "handler", "check": "collector", "rework": "duty_chief",
    "close": "duty_chief", "evaluate": "acceptor", "cancel": "duty_chief", "merge": "duty_chief", "comment": "",
    "whistle": "handler", "report_in": "handler", "answer": "handler", "decline": "handler",
    "settle": "collector", "arbitrate": "dispatcher", "escalate": "dispatcher", "grant_extension": "duty_chief",
    "suspend": "duty_chief", "resume": "duty_chief", "supervise": "duty_chief", "force_close": "duty_chief",
    "uphold": "duty_chief", "dismiss": "duty_chief", "appeal": "acceptor",
}  # fmt: skip


def read(bodies: Iterable[str], last: datetime) -> list[Found]:
    """Everything that can be counted, of all cases of these events, as it stood when the period ended. Later came what
    corrects it: an appeal that was upheld; and where a case lies and what it is, where nobody had known.
    """
    histories: dict[str, list[Found]] = defaultdict(list)
    for body in bodies:
        event = json.loads(body)
        histories[event["case_id"]].append(event)
    found = []
    for events in histories.values():
        events.sort(key=lambda one: one["seq"])
        then = [one for one in events if datetime.fromisoformat(one["action"]["at"]) < last]
        found += _facts(then, events) if then else []
    return found


def worked_out(
    facts: Sequence[Found], folder: Path, first: datetime, last: datetime, bys: Sequence[str]
) -> dict[str, dict[str, dict[str, tuple[float, float | None]]]]:
    """By what, who, which counter or rate: numerator and denominator (None: a count). `*` is all together."""
    rules = yaml.safe_load((folder / "indicators.yaml").read_text(encoding="utf-8"))
    tables: dict[str, dict[str, dict[str, float]]] = {by: defaultdict(dict) for by in bys}
    for name, rule in rules["counters"].items():
        counted = [fact for fact in facts if _counts(fact, rule, first, last)]
        for by in bys:
            hits: dict[str, list[Found]] = defaultdict(list)
            for fact in counted:
                whose = _whose(fact, by)
                if whose is not None:
                    hits[whose].append(fact)
                    hits["*"].append(fact)
            for whose, some in hits.items():
                tables[by][whose][name] = _amount(some, rule)
    return {by: {whose: _figures(of, rules) for whose, of in table.items()} for by, table in tables.items()}


def _figures(of: Mapping[str, float], rules: Found) -> dict[str, tuple[float, float | None]]:
    found: dict[str, tuple[float, float | None]] = {name: (of.get(name, 0.0), None) for name in rules["counters"]}

    def total(terms: str | list[str]) -> float:
        result = 0.0
        for term in [terms] if isinstance(terms, str) else terms:
            result = result - of.get(term[1:], 0.0) if term[0] == "-" else result + of.get(term, 0.0)
        return result

    for name, rate in rules["rates"].items():
        found[name] = (total(rate["numerator"]), total(rate["denominator"]))
    return found


def _amount(some: Sequence[Found], rule: Found) -> float:
    if rule.get("sum"):
        return float(sum(one[rule["sum"]] for one in some))
    return float(len({one["case"] for one in some}) if rule.get("cases") else len(some))


def _counts(fact: Found, rule: Found, first: datetime, last: datetime) -> bool:
    if fact["what"] not in ([rule["what"]] if isinstance(rule["what"], str) else rule["what"]):
        return False
    ended = fact["end"] is not None and fact["end"] < last
    when = {"at": fact["begin"], "due": fact["due"], "done": fact["end"]}
    if rule.get("by") == "open":
        if fact["begin"] >= last or ended:
            return False
    else:
        moment = when[rule.get("by", "at")]
        if moment is None or not first <= moment < last:
            return False
    seen = fact | {
        "done": ended,
        "on_time": ended and (fact["due"] is None or fact["end"] <= fact["due"]),
        "late": ended and fact["due"] is not None and fact["end"] > fact["due"],
        "overdue": not ended and fact["due"] is not None and fact["due"] < last,
    }
    wanted = all(_is(seen, column, value) for column, value in rule.get("where", {}).items())
    return wanted and not any(_is(seen, column, value) for column, value in rule.get("unless", {}).items())


def _is(seen: Found, column: str, wanted: Any) -> bool:
    value = seen[column]
    if isinstance(wanted, str) and wanted[:2] == ">=" and isinstance(value, int):
        return value >= int(wanted[2:])
    return value in wanted if isinstance(wanted, list) else value == (wanted if wanted is not None else "")


def _whose(fact: Found, by: str) -> str | None:
    widths = {"district": 6, "street": 9, "community": 12}
    if by in widths:
        return fact["area"][: widths[by]] if len(fact["area"]) >= widths[by] else ""
    if by in ("collector", "acceptor", "duty_chief", "dispatcher", "handler"):
        return fact["person"] if fact["post"] == by else None
    return str(fact[{"class": "class_code"}.get(by, by)])


def _facts(events: Sequence[Found], known: Sequence[Found]) -> list[Found]:
    """Every action, and every stretch of time that is measured."""
    found = []
    whole = _whole(events) | {"exempt": any(one["action"]["kind"] == "uphold" for one in known)}
    moments = _moments(events, known)
    for event, moment in zip(events, moments, strict=True):
        action = event["action"]
        at = datetime.fromisoformat(action["at"])
        found.append(
            moment
            | whole
            | {"what": f"action.{action['kind']}", "begin": at, "end": at, "due": None, "spent_seconds": 0}
            | {"result": _result(events, event)}
            | (
                {"unit": action["unit"], "system": moment["systems"].get(action["unit"], "")}
                if "round" in action
                else {}
            )
        )
    for name, begin, end, due, stands in _measured(events):
        closing = moments[end] if end is not None else moments[-1]
        since = datetime.fromisoformat(events[begin]["action"]["at"])
        until = datetime.fromisoformat(events[end]["action"]["at"]) if end is not None else None
        spent = (until or datetime.fromisoformat(events[-1]["action"]["at"])) - since
        fact = closing | whole | {"what": f"clock.{name}", "begin": since, "end": until, "due": due}
        fact["spent_seconds"] = int(spent.total_seconds())
        by_stage = stands is None and name in ("disposal", "case") and events[-1]["to"] == "suspended"
        fact["suspended"] = bool(stands) or by_stage
        for pause, on in _pauses(events) if name in GOING_ON and stands is not None else ():
            last = min(on or datetime.max.replace(tzinfo=since.tzinfo), since + spent)
            fact["spent_seconds"] -= max(0, int((last - pause).total_seconds()))
        fact["result"] = events[end]["action"]["kind"] if end is not None else ""
        if end is None:
            fact |= {"person": "", "post": "", "party": ""}
        found.append(fact)
    return found + [_joint_fact(*one, moments) | whole for one in _called(events)]


def _joint_fact(name: str, begin: Found, end: Found | None, due: datetime, moments: Sequence[Found]) -> Found:
    """A called unit's own part: only who was late is late."""
    closing = moments[(end["seq"] if end else len(moments)) - 1]
    since = datetime.fromisoformat(begin["action"]["at"])
    until = datetime.fromisoformat(end["action"]["at"]) if end else None
    unit = begin["action"]["unit"]
    found = closing | {"what": f"clock.{name}", "begin": since, "end": until, "due": due}
    found |= {"unit": unit, "system": closing["systems"].get(unit, "")}
    found |= {"result": end["action"]["kind"] if end else "", "spent_seconds": 0}
    return found if end else found | {"person": "", "post": "", "party": ""}


def _called(events: Sequence[Found]) -> Iterable[tuple[str, Found, Found | None, datetime]]:
    """Both clocks of every unit that was called, and what stopped them: its own word, the lead's answer, the end."""
    for whistle in events:
        if whistle["action"]["kind"] != "whistle":
            continue
        unit, later = whistle["action"]["unit"], [one for one in events if one["seq"] > whistle["seq"]]
        for timed in whistle["action"]["timed"]:
            own = ("answer", "decline", *(("report_in",) if timed["clock"] == "report_in" else ()))
            end = next((one for one in later if _over(one, unit, own)), None)
            yield timed["clock"], whistle, end, datetime.fromisoformat(timed["due"]["at"])


def _over(event: Found, unit: str, own: Sequence[str]) -> bool:
    action = event["action"]
    return event["to"] in OVER or action["kind"] == "dispose" or (action["kind"] in own and action["unit"] == unit)


def _whole(events: Sequence[Found]) -> Found:
    kinds = [event["action"]["kind"] for event in events]
    return {
        "case": events[0]["case_id"], "stage": events[-1]["to"], "reworks": kinds.count("rework"),
        "returns": kinds.count("return"), "extensions": kinds.count("grant_extension"),
        "supervised": next((e["action"]["supervision"] for e in reversed(events) if "supervision" in e["action"]), ""),
        "forced": "force_close" in kinds[_last(kinds, "rework") :],
        "on_the_spot": "settle" in kinds, "suspended": False,
        "leader_assigned": any(e["action"].get("report", {}).get("leader_assigned") for e in events),
    }  # fmt: skip


def _last(kinds: Sequence[str], kind: str) -> int:
    return max((n for n, one in enumerate(kinds) if one == kind), default=0)


def _moments(events: Sequence[Found], known: Sequence[Found]) -> list[Found]:
    """Who has the case, where it lies and what it is, at each event."""
    first = events[0]["action"]
    source = first.get("system") or first["actor"]["id"]
    filing: Found = next((event["action"] for event in known if event["action"]["kind"] in ("file", "settle")), {})
    place, code = filing.get("place", {}), filing.get("class_code")
    class_code = "" if code is None else code if isinstance(code, str) else _written(code)
    kind = {"E": "event", "P": "part"}.get(class_code.partition(":")[2][:1], "")
    unit = system = level = ""
    systems: dict[str, str] = {}
    found = []
    for event in events:
        action = event["action"]
        level = action.get("level", level)
        if action["kind"] in HANDED:
            unit, system = action["unit"], action.get("system", "")
        if action["kind"] in (*HANDED, "whistle"):
            systems = systems | {action["unit"]: action.get("system", "")}
        party = action["actor"]["party"]
        post = {"hub": "rule", "owner": "handler", "source": "collector"}.get(party, DESK[action["kind"]])
        found.append({
            "unit": unit, "system": system, "systems": systems,
            "source": source, "area": place.get("area") or "",
            "grid": place.get("grid") or "", "class_code": class_code, "kind": kind,
            "urgency": first["report"].get("urgency", "normal"), "level": level, "person": _person(action),
            "post": post, "party": party,
        })  # fmt: skip
    return found


def _person(action: Found) -> str:
    """Who reports is the collector, not the platform."""
    actor = action["actor"]
    if "report" not in action or actor["party"] != "source":
        return str(actor["id"])
    collector = action["report"].get("collector", "")
    return f"{action.get('system') or actor['id']}/{collector}" if collector else ""


def _written(code: Found) -> str:
    edition = code["edition"].removeprefix("GB/T ").rpartition("-")[0]
    return f"{edition}:{code['kind'][0].upper()}{code['major']}-{code['minor']}"


def _result(events: Sequence[Found], event: Found) -> str:
    kind = event["action"]["kind"]
    later = [one["action"]["kind"] for one in events if one["seq"] > event["seq"]]
    if kind == "evaluate":
        return str(event["action"]["result"])
    if kind in HANDED:
        ends = [one for one in later if one in ("return", "dispose", *HANDED)]
        return "returned" if ends[:1] == ["return"] else ""
    if kind in ("check", "dispose"):
        ends = [one for one in later if one in ("rework", "close", "dispose")]
        return "failed" if ends[:1] == ["rework"] else ""
    return ""


Stretch = tuple[str, int, int | None, datetime | None, bool | None]
"""Clock, place of the event that begins it, of the one that ends it, when it is due, whether it stands still. None:
it has no budget, and runs by the stages.
"""


def _measured(events: Sequence[Found]) -> list[Stretch]:
    """By the stages, and where a budget was given by the budget."""
    by_stage, by_budget = _stretches(events), _budgeted(events)
    known = {(one[0], one[1]) for one in by_budget}
    disposal = next((one for one in by_budget if one[0] == "disposal"), None)
    if any(one[0] == "case" for one in by_budget):
        disposal = None  # it has a limit of its own
    found = [one for one in by_stage if (one[0], one[1]) not in known] + by_budget
    if disposal is None:
        return found
    stands = events[-1]["to"] == "suspended"
    whole = [("case", one[1], one[2], disposal[3], stands) for one in found if one[0] == "case"]
    return [one for one in found if one[0] != "case"] + whole


def _budgeted(events: Sequence[Found]) -> list[Stretch]:
    running: dict[str, Stretch] = {}
    over: list[Stretch] = []
    for place, event in enumerate(events):
        kind, given = (
            event["action"]["kind"],
            {one["clock"]: one for one in event["action"].get("timed", []) if "of" not in one},
        )
        for name, (_, begin, end, due, _stands) in list(running.items()):
            if end is None and (kind in STOPPED_BY[name] or event["to"] in OVER):
                running[name] = (name, begin, place, due, False)
            elif end is None and name in GOING_ON and kind in ("suspend", "resume"):
                running[name] = (name, begin, None, None if kind == "suspend" else due, kind == "suspend")
        for name, one in given.items():
            due = datetime.fromisoformat(one["due"]["at"])
            old, starts = running.get(name), kind in STARTED_BY[name]
            if old is not None and old[2] is not None and name not in GOING_ON:
                over.append(running.pop(name))
                old = None
            if old is None and starts:
                running[name] = (name, place, None, due, False)
            elif old is not None and starts == (old[2] is not None):
                running[name] = (name, old[1], None, due, old[4])
    return over + list(running.values())


def _pauses(events: Sequence[Found]) -> list[tuple[datetime, datetime | None]]:
    """When the disposal stood still, as long as its clock ran at all."""
    found: list[tuple[datetime, datetime | None]] = []
    for event in events:
        at = datetime.fromisoformat(event["action"]["at"])
        if event["action"]["kind"] == "suspend":
            found.append((at, None))
        elif found and found[-1][1] is None and (event["action"]["kind"] == "resume" or event["to"] in OVER):
            found[-1] = (found[-1][0], at)
    return found


def _stretches(events: Sequence[Found]) -> list[Stretch]:
    found: list[Stretch] = []
    for name, inside in STRETCHES.items():
        place = 0
        while place < len(events):
            if not inside(events[place]["to"]):
                place += 1
                continue
            end = next((n for n in range(place, len(events)) if not inside(events[n]["to"])), None)
            found.append((name, place, end, None, None))
            place = end if end is not None else len(events)
    kinds = [event["action"]["kind"] for event in events]
    again = [n for n in range(len(events)) if kinds[n] == "rework"]
    due = _first_due(events)
    if "dispatch" in kinds:
        ends = [n for n in range(len(events)) if kinds[n] in ("dispose", "force_close") or _ends(events, n)]
        found.append(("disposal", kinds.index("dispatch"), _last_end(ends, again), due, None))
    if "file" in kinds:
        over = [n for n in range(len(events)) if _ends(events, n)]
        found.append(("case", kinds.index("file"), _last_end(over, again), due, None))
    return found


def _first_due(events: Sequence[Found]) -> datetime | None:
    given = [event["action"].get("due") for event in events if event["action"]["kind"] in HANDED]
    return next((datetime.fromisoformat(one["at"]) for one in given if one), None)


def _ends(events: Sequence[Found], place: int) -> bool:
    return place > 0 and events[place]["to"] in OVER and events[place - 1]["to"] not in OVER


def _last_end(ends: Sequence[int], again: Sequence[int]) -> int | None:
    """The first end after the last time it went on."""
    since = again[-1] if again else -1
    return next((n for n in ends if n > since), None)
