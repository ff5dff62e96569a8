"""The list of cases at the API: what may be asked of it, in words, and how that becomes what storage looks for."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated

from fastapi import Query

from canonical.case import Queue
from canonical.lifecycle import Stage
from canonical.organisation import Level
from gateway.duty import instant
from gateway.refusal import plain
from storage.case_list import Wanted

_LONGEST = 64
_SINCE = "such as 2026-11-29T08:00 (Shanghai), or with an offset, in an address written %2B08:00"


class Filters:
    """The filters of a list, as FastAPI reads them from the query."""

    def __init__(
        self,
        queue: Annotated[Queue | None, Query(description="what the centre's people have to do")] = None,
        stage: Annotated[Stage | None, Query(description="where the case stands")] = None,
        source: Annotated[str, Query(max_length=_LONGEST, description="id of the system that reported it")] = "",
        owner: Annotated[str, Query(max_length=_LONGEST, description="id of the system that carries the work")] = "",
        class_: Annotated[
            str, Query(alias="class", max_length=_LONGEST, description="beginning of a class: 30428.2:E04")
        ] = "",
        area: Annotated[
            str, Query(pattern="^[0-9]{0,12}$", description="beginning of a division's code: 340202")
        ] = "",
        unit: Annotated[str, Query(max_length=_LONGEST, description="id of the unit that leads, see /api/units")] = "",
        level: Annotated[Level | None, Query(description="the loop 循环 that has the case")] = None,
        channel: Annotated[str, Query(max_length=_LONGEST, description="how it reached the source, in its words")] = "",
        received_from: Annotated[str, Query(max_length=_LONGEST, description=f"received then or later, {_SINCE}")] = "",
        received_until: Annotated[str, Query(max_length=_LONGEST, description=f"received before, {_SINCE}")] = "",
        due_before: Annotated[
            str, Query(max_length=_LONGEST, description=f"open, not done, and due before, {_SINCE}")
        ] = "",
        overdue: Annotated[bool, Query(description="true: open, not done, and due before now")] = False,
    ) -> None:  # fmt: skip
        self.overdue = overdue
        self._before = instant(plain(due_before), "due_before")
        self._wanted = Wanted(
            queue=queue or "", stage=stage or "", source=plain(source), owner=plain(owner), class_code=plain(class_),
            area=plain(area), unit=plain(unit), level=level or "", channel=plain(channel),
            received_from=instant(plain(received_from), "received_from"),
            received_until=instant(plain(received_until), "received_until"),
        )  # fmt: skip

    def wanted(self, now: datetime) -> Wanted:
        """What is looked for. `now`: what is due before it is overdue."""
        limits = [at for at in (self._before, now if self.overdue else None) if at]
        return replace(self._wanted, due_before=min(limits, default=None))
