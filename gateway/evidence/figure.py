"""What lies behind a figure of assessment: its facts, and the cases of a pack that proves it."""

from datetime import datetime
from typing import Any

from canonical.rights import EVERYTHING
from gateway.assessment.api import fact_view, figure_view
from gateway.assessment.tracing import MOST, Where, behind, traced
from gateway.configuration import Configuration
from storage.store import Store


async def behind_figure(
    store: Store, configuration: Configuration, where: Where, *, now: datetime
) -> tuple[list[str], dict[str, Any]]:
    """The numbers of its cases, and the figure with every fact that was counted, for `figure.json`.

    Raises UnknownFigure, and NoPeriod, as `traced` does.
    """
    found = await traced(store, configuration, where, now=now, scope=EVERYTHING)
    facts: dict[str, list[dict[str, Any]]] = {}
    for name in dict.fromkeys(part.counter.id for part in found.parts):
        counted, after = facts.setdefault(name, []), ""
        while True:
            page = await behind(
                store, configuration, where, counter=name, after=after, limit=MOST, now=now, scope=EVERYTHING
            )
            counted += [fact_view(fact) for fact in page.facts]
            if page.following is None:
                break
            after = page.following
    numbers = sorted({fact["case_no"] for counted in facts.values() for fact in counted})
    return numbers, figure_view(found) | {"facts": facts}
