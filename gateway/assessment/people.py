"""Who is assessed: names, levels and what a reader must know, from the city's tables."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from assessment.period import Period
from assessment.sheets import People
from canonical.organisation import Level
from canonical.rights import Scope
from gateway.configuration import Configuration
from routing.units import successors

_LEVELS = {Level.CITY: "市级", Level.DISTRICT: "区县", Level.STREET: "街道", Level.COMMUNITY: "社区"}
_AREAS = frozenset({"district", "street", "community"})


def people(configuration: Configuration, by: str, period: Period) -> People:
    """Those of one kind. Who is not in the tables is called by the id."""
    city = configuration.city
    if by in _AREAS:
        return People(names={code: one.name for code, one in city.divisions.by_code.items()})
    if by == "unit":
        return _units(configuration, last_day(period))
    if by in ("system", "source"):
        return People(names={name: role.title for name, role in city.systems.items()})
    if by == "class":
        return People(names={str(code): one.name for code, one in city.catalogue.classes.items()})
    if by == "level":
        return People(names={level.value: title for level, title in _LEVELS.items()})
    return People()


def last_day(period: Period) -> date:
    """The last day in it."""
    return period.ends - timedelta(days=1)


def merged(configuration: Configuration, period: Period) -> Mapping[str, str]:
    """Former units, to those that have their work at the end of the period."""
    return successors(configuration.city.responsibility.units, last_day(period))


def within(configuration: Configuration, scope: Scope) -> str:
    """The part of the city that a scope is, in words; empty: all of it."""
    city = configuration.city
    limits: tuple[tuple[str, Sequence[str], Mapping[str, str]], ...] = (
        ("区域", scope.areas, {code: one.name for code, one in city.divisions.by_code.items()}),
        ("类别", scope.classes, {str(code): one.name for code, one in city.catalogue.classes.items()}),
        ("系统", scope.systems, {name: role.title for name, role in city.systems.items()}),
        ("单位", scope.units, {one.id: one.name for one in city.responsibility.units.values()}),
    )
    said = ((kind, "、".join(names.get(one, one) for one in ones)) for kind, ones, names in limits if ones)
    return "；".join(f"{kind}：{ones}" for kind, ones in said)


def _units(configuration: Configuration, last: date) -> People:
    units = configuration.city.responsibility.units
    notes: dict[str, list[str]] = {
        one.id: [f"原名{one.former_name}"] for one in units.values() if one.former_name
    }  # fmt: skip
    for former, new in successors(units, last).items():
        until = f"，{units[former].valid_to}前" if units[former].valid_to else ""
        notes.setdefault(new, []).append(f"含并入的{units[former].name}{until}的数据")
    return People(
        names={one.id: one.name for one in units.values()},
        levels={one.id: one.level.value for one in units.values()}, notes=notes,
    )  # fmt: skip
