"""`indicators.yaml` and `scores.yaml` of a city's folder `assessment/`: read, checked, put together as a rulebook."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from assessment.rulebook import Rulebook, Scheme
from assessment.rules_review import review
from assessment.runs import CLOCKS
from assessment.yaml_file import YamlFile, mapping, near, read_yaml, validated
from canonical.fact import ACTION, CLOCK
from canonical.findings import Finding
from canonical.indicator import (
    AT_THE_END,
    CONDITIONS,
    FLAGS,
    NUMBERS,
    By,
    Condition,
    Counter,
    Rate,
    compared,
)
from canonical.lifecycle import ActionKind, Party, Stage
from canonical.organisation import Level
from canonical.report import Urgency

INDICATORS, SCORES = "indicators.yaml", "scores.yaml"
SUBJECTS = (
    "district", "street", "community", "grid", "unit", "system", "source", "class", "major", "level", "collector",
    "acceptor", "duty_chief", "dispatcher", "handler",
)  # fmt: skip
"""By whom or what is assessed."""
POSTS = ("collector", "acceptor", "duty_chief", "dispatcher", "handler", "rule", "")
VALUES: Mapping[str, frozenset[str]] = MappingProxyType({
    "stage": frozenset(Stage), "party": frozenset({*Party, ""}), "urgency": frozenset(Urgency),
    "level": frozenset({*Level, ""}), "post": frozenset(POSTS), "kind": frozenset({"event", "part", ""}),
    "supervised": frozenset({"ordinary", "yellow", "red", ""}),
    "result": frozenset({"satisfied", "very_satisfied", "dissatisfied", "returned", "failed", "", *ActionKind}),
})  # fmt: skip
"""What can stand in a column, where that is known."""


def whats() -> frozenset[str]:
    """All there is to count: every action, and every clock."""
    return frozenset({*(f"{ACTION}.{kind}" for kind in ActionKind), *(f"{CLOCK}.{name}" for name in CLOCKS)})


def _words(given: object) -> object:
    """One word where a list is expected; a list of values."""
    return (given,) if isinstance(given, str) else given


Words = Annotated[tuple[str, ...], BeforeValidator(_words), Field(min_length=1)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CounterFile(_File):
    """One counter 计数."""

    title: str = Field(min_length=1, description="its name in tables")
    what: Words = Field(description="`action.file`, `clock.disposal`: what is counted; one, or a list")
    by: By = Field(
        default=By.AT,
        description="which instant lies in the period: `at`, `due`, `done`; `open`: it still ran at the end",
    )
    where: dict[str, Condition] = Field(
        default={}, description="column of the fact: what it must be; a list: one of these; empty: not known"
    )
    unless: dict[str, Condition] = Field(default={}, description="left out 剔除 where one of these holds")
    sum: Literal["", "spent_seconds", "extensions", "reworks", "returns"] = Field(
        default="", description="column that is added up; empty: facts are counted"
    )
    cases: bool = Field(default=False, description="each case once, however many facts it has")


class RateFile(_File):
    """One rate 率."""

    title: str = Field(min_length=1, description="its name in tables")
    numerator: Words = Field(description="counter, or a list that is added up; with `-` before it, taken away")
    denominator: Words = Field(description="the same; 0 makes the rate one without base 无基数")
    unit: Literal["percent", "ratio", "hours", "days"] = Field(default="percent", description="how it is written")
    better: Literal["high", "low", ""] = Field(
        default="high", description="`high` or `low`: what is good; empty: neither"
    )
    source: str = Field(default="", description="the rule or standard that defines it")
    note: str = Field(default="", description="what is the city's own choice in it")


@dataclass(slots=True)
class _Reading:
    """What comes together while the files are read."""

    file: YamlFile
    counters: dict[str, Counter] = field(default_factory=dict)
    rates: dict[str, Rate] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    """Counters that stand there, sound or not: what names a broken one is not wrong too."""


def load_rulebook(
    folder: Path, findings: list[Finding], *, units: Collection[str] = (), name: str = ""
) -> Rulebook | None:  # fmt: skip
    """The rules of a folder. `name`: how findings call it. None where there are no usable indicators."""
    prefix = f"{name or folder.name}/"
    file = read_yaml(folder / INDICATORS, prefix + INDICATORS)
    scores = read_yaml(folder / SCORES, prefix + SCORES) if (folder / SCORES).is_file() else YamlFile(prefix + SCORES)
    reading = _Reading(file)
    if not file.findings or isinstance(file.document, dict):
        _top(file, {"edition", "counters", "rates", "sheets"})
        _counters(reading, units)
        _rates(reading)
    sheets = _sheets(reading)
    _top(scores, {"edition", "schemes"})
    schemes = _schemes(scores, reading, units)
    edition = file.document.get("edition") if isinstance(file.document, dict) else None
    if not file.findings and not isinstance(edition, str):
        file.wrong("edition", "missing: a name of this edition of the rules, such as wuhu-demo-2026.1")
    rules = Rulebook(
        edition=f"{edition}/{_digest(folder)}", counters=reading.counters, rates=reading.rates, sheets=sheets,
        schemes=schemes,
    )  # fmt: skip
    review(rules, file, scores)
    findings += [*file.findings, *scores.findings]
    return rules if reading.counters else None


def _digest(folder: Path) -> str:
    found = hashlib.sha256()
    for name in (INDICATORS, SCORES):
        if (folder / name).is_file():
            found.update((folder / name).read_bytes())
    return found.hexdigest()[:8]


def _top(file: YamlFile, known: Collection[str]) -> None:
    if file.document is None:
        return
    if not isinstance(file.document, dict):
        file.wrong("", f"a mapping with {', '.join(sorted(known))} is expected")
        return
    for key in file.document:
        if str(key) not in known:
            file.wrong(str(key), f"unknown key{near(str(key), known)}")


def _counters(reading: _Reading, units: Collection[str]) -> None:
    file = reading.file
    for name, given in mapping(file, "counters").items():
        key = f"counters.{name}"
        reading.named.add(name)
        if not name.isidentifier():
            file.wrong(key, "a name has letters, digits and _ only, and begins with a letter")
            continue
        made = validated(file, CounterFile, given, key)
        if not isinstance(made, CounterFile):
            continue
        found = len(file.findings)
        for what in made.what:
            if what not in whats():
                file.wrong(f"{key}.what", f"'{what}' is nothing that can be counted{near(what, whats())}")
        for part in ("where", "unless"):
            for column, wanted in getattr(made, part).items():
                _condition(file, f"{key}.{part}.{column}", column, wanted, units)
        if made.by is not By.AT and not all(what.startswith(f"{CLOCK}.") for what in made.what):
            file.wrong(f"{key}.by", f"'{made.by}' is for clocks: an action is counted when it happened")
        if len(file.findings) == found:
            reading.counters[name] = Counter(id=name, **made.model_dump())


def _condition(file: YamlFile, key: str, column: str, wanted: Condition, units: Collection[str]) -> None:
    if column not in CONDITIONS:
        file.wrong(key, f"a fact has no '{column}'{near(column, CONDITIONS)}")
    elif column in FLAGS | AT_THE_END:
        if not isinstance(wanted, bool):
            file.wrong(key, f"true or false is expected, not '{wanted}'")
    elif column in NUMBERS:
        _number(file, key, wanted)
    else:
        known = frozenset(units) if column == "unit" and units else VALUES.get(column)
        for value in wanted if isinstance(wanted, tuple) else (wanted,):
            if value is not None and not isinstance(value, str):
                file.wrong(key, f"a text is expected, not {value}; write it in quotes")
            elif value is not None and known is not None and value not in known:
                file.wrong(key, f"'{value}' does not occur{near(value, known - {''})}")


def _number(file: YamlFile, key: str, wanted: Condition) -> None:
    for value in wanted if isinstance(wanted, tuple) else (wanted,):
        if isinstance(value, bool) or value is None:
            file.wrong(key, f"a number, or a comparison such as \">=3\", is expected, not '{value}'")
        elif isinstance(value, str):
            try:
                compared(value)
            except ValueError as error:
                file.wrong(key, str(error))
            else:
                if isinstance(wanted, tuple):
                    file.wrong(key, "a comparison stands alone, not in a list")


def _rates(reading: _Reading) -> None:
    file = reading.file
    for name, given in mapping(file, "rates").items():
        key = f"rates.{name}"
        if name in reading.named:
            file.wrong(key, "a counter has this name already")
            continue
        made = validated(file, RateFile, given, key)
        if not isinstance(made, RateFile):
            continue
        found = len(file.findings)
        for part in ("numerator", "denominator"):
            for term in getattr(made, part):
                counter = term.removeprefix("-")
                if counter not in reading.named:
                    file.wrong(f"{key}.{part}", f"no counter '{counter}'{near(counter, reading.named)}")
        if sorted(made.numerator) == sorted(made.denominator):
            file.wrong(key, "a rate over itself is always 100 %")
        known = all(
            term.removeprefix("-") in reading.counters for term in (*made.numerator, *made.denominator)
        )  # fmt: skip
        if len(file.findings) == found and known:
            reading.rates[name] = Rate(id=name, **made.model_dump())


def _sheets(reading: _Reading) -> dict[str, tuple[str, ...]]:
    file, sheets = reading.file, {}
    names = reading.named | set(mapping(file, "rates"))
    for by, given in mapping(file, "sheets").items():
        key = f"sheets.{by}"
        if by not in SUBJECTS:
            file.wrong(key, f"nobody is assessed by '{by}'{near(by, SUBJECTS)}")
            continue
        if not isinstance(given, list):
            file.wrong(key, "a list of counters and rates is expected")
            continue
        columns = [str(column) for column in given]
        for place, column in enumerate(columns):
            if column not in names:
                file.wrong(f"{key}.{place}", f"no counter or rate '{column}'{near(column, names)}")
            if column in columns[:place]:
                file.wrong(f"{key}.{place}", f"'{column}' stands in this sheet already")
        sheets[by] = tuple(
            dict.fromkeys(one for one in columns if one in reading.counters or one in reading.rates)
        )  # fmt: skip
    return sheets


def _schemes(file: YamlFile, reading: _Reading, units: Collection[str]) -> dict[str, Scheme]:
    schemes: dict[str, Scheme] = {}
    for by, given in mapping(file, "schemes").items():
        key = f"schemes.{by}"
        if by not in SUBJECTS:
            file.wrong(key, f"nobody is assessed by '{by}'{near(by, SUBJECTS)}")
            continue
        made = validated(file, Scheme, given, key)
        if isinstance(made, Scheme):
            found = len(file.findings)
            _named_right(file, key, made, reading, units)
            if len(file.findings) == found:
                schemes[by] = made
    return schemes


def _named_right(file: YamlFile, key: str, made: Scheme, reading: _Reading, units: Collection[str]) -> None:
    def asked(name: str, known: Iterable[str], where: str, kind: str) -> None:
        if name not in set(known):
            file.wrong(f"{key}.{where}", f"no {kind} '{name}'{near(name, known)}")

    rates = set(mapping(reading.file, "rates"))
    for place, weight in enumerate(made.weights):
        asked(weight.rate, rates, f"weights.{place}.rate", "rate")
    for part in ("bonuses", "deductions"):
        for place, points in enumerate(getattr(made, part)):
            asked(points.counter, reading.named, f"{part}.{place}.counter", "counter")
            if points.double:
                asked(points.double, reading.named, f"{part}.{place}.double", "counter")
    if made.rank_by:
        asked(made.rank_by, rates | reading.named, "rank_by", "counter or rate")
    for place, one in enumerate(made.classes):
        for level in one.level:
            asked(level, Level, f"classes.{place}.level", "level")
        for unit in one.units if units else ():
            asked(unit, units, f"classes.{place}.units", "unit")
