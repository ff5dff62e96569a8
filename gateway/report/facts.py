"""What reports share: until when the facts of assessment tell, what units are called, and how it is said that there is
nothing to tell.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Protocol

from assessment.period import Period
from canonical.organisation import Unit
from canonical.rights import Scope
from gateway.configuration import Configuration
from gateway.refusal import Refusal
from gateway.report.document import Kind, printed, written
from storage.briefing import newest_run
from storage.store import Store

NOT_THERE, NO_UNIT = "no_data", "unknown_unit"
_UPDATE = "update the facts 请先更新考核事实: gridhub assess update"


class Desk(Protocol):
    """What a report is made with; a hub is one."""

    @property
    def store(self) -> Store:
        """Where the facts are."""
        ...

    @property
    def configuration(self) -> Configuration:
        """The city."""
        ...

    @property
    def now(self) -> Callable[[], datetime]:
        """The clock."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """The facts that hold today."""

    run: int
    at: datetime
    """What was written later is not in them."""


async def known_facts(desk: Desk) -> Known:
    """Which facts there are. Raises Refusal when there are none at all."""
    found = await newest_run(desk.store)
    if found is None:
        raise Refusal(404, NOT_THERE, "there are no facts of assessment yet 还没有考核事实", _UPDATE)
    return Known(*found)


def no_data(period: Period, known: Known) -> Refusal:
    """What is said of a period in which nothing happened, as far as is known."""
    text = f"nothing is known of {period.name} 没有{period.title}的数据"
    until = f"facts tell until 考核事实更新至 {written(known.at, Kind.TIME)}"
    return Refusal(404, NOT_THERE, text, f"{until}; {_UPDATE}, or choose another period 或另选周期")


def unit_names(desk: Desk) -> dict[str, str]:
    """Names by id of all units of the city."""
    return {one.id: one.name for one in desk.configuration.city.responsibility.units.values()}


def unit_of(desk: Desk, given: str, scope: Scope) -> Unit:
    """The unit with this id or name, among those of the scope. Raises Refusal with the nearest one."""
    known = desk.configuration.city.responsibility.units
    units = {id_: one for id_, one in known.items() if not scope.units or id_ in scope.units}
    found = units.get(given) or next((one for one in units.values() if one.name == given), None)
    if found is None:
        near = get_close_matches(given, [*units, *(one.name for one in units.values())], 3, 0.5)
        hint = f"did you mean 是否为 {' , '.join(near)}?" if near else "see units.csv, GET /api/units"
        raise Refusal(404, NO_UNIT, f"no unit 没有处置单位 '{printed(given)[:64]}' in units.csv", hint)
    return found
