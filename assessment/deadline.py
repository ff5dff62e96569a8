"""The source's own deadline as an instant. Ours is counted from the standard row; theirs is kept beside it."""

from datetime import datetime

from canonical.ports import WorkingCalendar
from canonical.report import SourceDeadline
from canonical.time import Due


def source_due(deadline: SourceDeadline | None, received_at: datetime, calendar: WorkingCalendar) -> Due | None:
    """When the source's deadline runs out; None when it set none.

    An instant stands as it is. A budget runs from the source's word (`since`), else from `received_at`.
    """
    if deadline is None:
        return None
    if deadline.at is not None:
        return Due(at=deadline.at)
    if deadline.limit is None:
        return None
    return calendar.due(deadline.since or received_at, deadline.limit)
