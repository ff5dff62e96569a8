"""What decisions are made with: the city's tables, its systems and its policy, each with its edition."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from canonical.ports import WorkingCalendar
from canonical.reading import SystemRole
from routing.budgets import NONE, Budgets
from routing.catalogue import Catalogue
from routing.divisions import Divisions
from routing.fusion import SEPARATE, Fusion
from routing.locate import Locator
from routing.responsibility import ResponsibilityList
from routing.team import Team
from routing.trade_rules import TradeRules


class By(StrEnum):
    """Who does a step."""

    CENTRE = "centre"
    AUTOMATIC = "automatic"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the city leaves to rules and what to people."""

    check: By = By.CENTRE
    close: By = By.AUTOMATIC
    rounds: int = 3
    """How often a case is given to the next unit by itself after returns; then the centre decides."""


@dataclass(frozen=True, slots=True)
class City:
    """One city's configuration, read once. Immutable: a change is a new City."""

    code: str
    """4-digit division code."""
    name: str
    divisions: Divisions
    locator: Locator
    catalogue: Catalogue
    responsibility: ResponsibilityList
    calendar: WorkingCalendar
    systems: Mapping[str, SystemRole]
    policy: Policy
    calendars: Mapping[str, WorkingCalendar] = field(default_factory=dict, kw_only=True)
    """By unit, where it is not the city's."""
    budgets: Budgets = field(default=NONE, kw_only=True)
    rules: TradeRules = field(default_factory=TradeRules, kw_only=True)
    fusion: Fusion = field(default=SEPARATE, kw_only=True)
    """Which classes an industry system leads; none: the hub is the centre for all."""
    editions: Mapping[str, str]
    """Catalogue, responsibility list, calendar, team: the edition in force."""
    team: Team | None = field(default=None, kw_only=True)
    """Officers and their grids; None: the city keeps none here."""

    def working_time(self, unit: str) -> WorkingCalendar:
        """The calendar by which this unit works."""
        return self.calendars.get(unit, self.calendar)
