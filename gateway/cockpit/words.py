"""What the cockpit calls things: the seven steps and what stands in each, loops, and the names of codes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from canonical.lifecycle import STAGE_TITLES, Stage, Step
from canonical.organisation import Level
from routing.city import City
from storage.tally_figures import By

STANDS_IN: Mapping[Step, tuple[Stage, ...]] = MappingProxyType({
    Step.COLLECT: (Stage.REPORTED, Stage.VERIFYING),
    Step.FILE: (Stage.FILED,),
    Step.DISPATCH: (Stage.DISPATCHED, Stage.RETURNED),
    Step.DISPOSE: (Stage.HANDLING, Stage.SUSPENDED),
    Step.CHECK: (Stage.DISPOSED,),
    Step.CLOSE: (Stage.CHECKED,),
    Step.EVALUATE: (),
})  # fmt: skip
"""The step that a case of this stage has come to, and waits in. What is over stands nowhere."""
STEP_TITLES_EN: Mapping[Step, str] = MappingProxyType({
    Step.COLLECT: "Collect", Step.FILE: "File", Step.DISPATCH: "Dispatch", Step.DISPOSE: "Dispose",
    Step.CHECK: "Check", Step.CLOSE: "Close", Step.EVALUATE: "Evaluate",
})  # fmt: skip
LOOP_TITLES: Mapping[Level, tuple[str, str]] = MappingProxyType({
    Level.COMMUNITY: ("网格微循环", "Grid loop"), Level.STREET: ("街道小循环", "Street loop"),
    Level.DISTRICT: ("区县中循环", "District loop"), Level.CITY: ("市级大循环", "City loop"),
})  # fmt: skip
HOW_TITLES: Mapping[str, tuple[str, str]] = MappingProxyType({
    "closed": ("正常结案", "Closed"), "forced": ("强制结案", "Closed by force"),
    "on_the_spot": ("现场办结", "Settled on the spot"),
})  # fmt: skip

Titles = Mapping[str, str]


def titles(city: City, by: By) -> Titles:
    """Names in the city's own words, by code. A code that is not there is its own name."""
    areas = {code: one.name for code, one in city.divisions.by_code.items()}
    systems = {name: role.title for name, role in city.systems.items()}
    known: dict[By, Titles] = {
        By.DISTRICT: areas, By.STREET: areas, By.SYSTEM: systems, By.SOURCE: systems,
        By.UNIT: {one.id: one.name for one in city.responsibility.units.values()},
        By.CLASS: {str(code): one.name for code, one in city.catalogue.classes.items()},
    }  # fmt: skip
    return known.get(by, {})


def stage_view(stage: Stage, count: int) -> dict[str, Any]:
    """How many stand there."""
    return {"stage": stage, "title": STAGE_TITLES[stage], "open": count}
