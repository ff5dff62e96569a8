"""Who may see which rows and do what: scopes, roles and rights 权限. Decided here, enforced where rows are read.

The same scope limits lists, figures, maps and reports: what a person may not see is for them not there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Scope:
    """What one client may see. Empty tuples: no limit. Limits of several kinds hold together."""

    name: str
    areas: tuple[str, ...] = ()
    """Divisions 行政区划, by the beginning of their codes."""
    classes: tuple[str, ...] = ()
    """Classes 类别, by the beginning of their codes."""
    systems: tuple[str, ...] = ()
    """Systems that reported the case or own its work."""
    layers: tuple[str, ...] = ()
    public: bool = False
    """Points stand for a whole cell, times for a day, and nothing tells one case's number, unit or words."""
    texts: bool = False
    """What people wrote, and the address, may be read."""
    units: tuple[str, ...] = ()
    """Units 处置单位 that have the case, or had a share of it."""

    def admits(self, layer: str) -> bool:
        """True when the layer may be seen at all."""
        return not self.layers or layer in self.layers

    @property
    def whole(self) -> bool:
        """True when every case may be seen."""
        return not (self.areas or self.classes or self.systems or self.units)

    def covers(
        self, *, area: str | None, class_code: str | None, systems: Iterable[str], units: Iterable[str]
    ) -> bool:  # fmt: skip
        """True when a case of these facts may be seen. What a case does not have lies in no limit."""
        return (
            (not self.areas or (area or "").startswith(self.areas))
            and (not self.classes or (class_code or "").startswith(self.classes))
            and (not self.systems or not frozenset(self.systems).isdisjoint(systems))
            and (not self.units or not frozenset(self.units).isdisjoint(units))
        )


EVERYTHING = Scope("everything", texts=True)
"""For the hub's own work, and for the centre's token."""


class Right(StrEnum):
    """What may be done through the console and the API."""

    SEE = "see"
    """Look at cases, maps, clocks, figures and reports, within the scope."""
    ACT = "act"
    """Do to a case what the lifecycle table gives the centre."""
    APPEAL = "appeal"
    """Appeal against how a case counts 申诉."""
    WATCH = "watch"
    """Look at systems, messages, deliveries, differences and replays."""
    OPERATE = "operate"
    """Pause systems, release and withdraw messages, map codes, replay, repair differences."""
    ASSESS = "assess"
    """Close a period, and correct a closed one."""
    RAW = "raw"
    """Read messages as they came, byte for byte. Each look is logged."""
    REVEAL = "reveal"
    """Read names and numbers of reporters unmasked, with a reason. Each look is logged."""
    AUDIT = "audit"
    """Read who signed in, and who looked at personal data."""
    ADMINISTER = "administer"
    """Make, change and lock accounts."""


class Role(StrEnum):
    """What somebody is to the city."""

    CITY_CENTRE = "city_centre"
    DISTRICT_CENTRE = "district_centre"
    STREET_CENTRE = "street_centre"
    UNIT = "unit"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


ROLE_TITLES: Mapping[Role, str] = MappingProxyType(
    {
        Role.CITY_CENTRE: "市级中心",
        Role.DISTRICT_CENTRE: "区级中心",
        Role.STREET_CENTRE: "街道中心",
        Role.UNIT: "处置单位",
        Role.AUDITOR: "审计员",
        Role.ADMINISTRATOR: "系统管理员",
    }
)

RIGHTS: Mapping[Role, frozenset[Right]] = MappingProxyType({
    Role.CITY_CENTRE: frozenset({
        Right.SEE, Right.ACT, Right.APPEAL, Right.WATCH, Right.OPERATE, Right.ASSESS, Right.RAW, Right.REVEAL,
    }),
    Role.DISTRICT_CENTRE: frozenset({Right.SEE, Right.ACT, Right.APPEAL, Right.RAW, Right.REVEAL}),
    Role.STREET_CENTRE: frozenset({Right.SEE, Right.ACT, Right.APPEAL}),
    Role.UNIT: frozenset({Right.SEE, Right.APPEAL}),
    Role.AUDITOR: frozenset({Right.SEE, Right.WATCH, Right.RAW, Right.AUDIT}),
    Role.ADMINISTRATOR: frozenset({Right.ADMINISTER, Right.AUDIT}),
})  # fmt: skip
"""The table of rights. Who keeps the accounts sees no case; who audits changes nothing."""

LIMITED_BY: Mapping[Role, tuple[str, ...]] = MappingProxyType(
    {
        Role.DISTRICT_CENTRE: ("areas",),
        Role.STREET_CENTRE: ("areas",),
        Role.UNIT: ("units",),
    }
)
"""Limits that an account of the role must have: a unit that forgot its limit must not see the city."""
