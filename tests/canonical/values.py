"""What the canonical tests share: strategies for canonical values, and actions with everything or nothing in them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import strategies as st

from canonical.case import Action, Actor, Binding, BindingRole, Case, Event, Supervision, Told
from canonical.clock import Clock, Timed
from canonical.codes import ClassCode, ClassKind, Edition
from canonical.lifecycle import ActionKind, Party, Stage
from canonical.organisation import Level
from canonical.place import Coordinate, Place, PlaceMethod
from canonical.report import Attachment, Report, Reporter, SourceDeadline, Urgency
from canonical.time import SHANGHAI, Due, Limit, LimitUnit

NOW = datetime(2026, 5, 20, 9, 30, tzinfo=SHANGHAI)
CASE_ID = UUID("01890000-0000-7000-8000-000000000001")
CLASS = ClassCode.parse("30428.2:E04-06")
LIMIT = Limit(value=4, unit=LimitUnit.WORK_HOUR)
FULL = {
    "report": Report(title="占道经营", attachments=(Attachment(url="http://a/1.jpg"),)),
    "class_code": CLASS,
    "standard": "30428.2:E04-06/1",
    "place": Place(area="340202"),
    "unit": "u1",
    "system": "works",
    "reason": "because",
    "result": "done",
    "limit": LIMIT,
    "target": "34022026052000000009",
    "due": Due(at=NOW + timedelta(hours=4)),
    "until": NOW + timedelta(days=30),
    "level": Level.CITY,
    "supervision": Supervision.YELLOW,
    "told": Told(clock=Clock.DISPOSAL, step="due", at=NOW),
    "timed": (Timed(clock=Clock.DISPOSAL, limit=LIMIT, due=Due(at=NOW + timedelta(hours=4))),),
}
"""Every field that any action of the table needs, and some more."""
JOINT = {ActionKind.REPORT_IN, ActionKind.ANSWER, ActionKind.DECLINE}
"""What is said of a called unit's assignment: here the second one."""

kinds, parties = st.sampled_from(list(ActionKind)), st.sampled_from(list(Party))


def action(kind: ActionKind, party: Party = Party.HUB, **changes: object) -> Action:
    """An action that lacks nothing, with these changes."""
    joint = {"round": 2} if kind in JOINT else {}
    by = FULL["system"] if party is Party.LEAD_SYSTEM else "somebody"
    given = FULL | joint | {"kind": kind, "actor": Actor(party=party, id=str(by)), "at": NOW} | changes
    return Action.model_validate(given)


def collected() -> tuple[Event, Case]:
    """The event that opens a case, and the case."""
    event = Event(
        case_id=CASE_ID, seq=1, from_=None, to=Stage.REPORTED, action=action(ActionKind.COLLECT, Party.SOURCE)
    )
    return event, Case.opened(event, no="34022026052000000001", sequence=1)


# --- any value at all ---

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_instants = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
_areas = st.from_regex(r"[0-9]{4}|[0-9]{6}|[0-9]{9}|[0-9]{12}", fullmatch=True)
_numbers = st.floats(allow_nan=False, allow_infinity=False)
_facts = st.dictionaries(_text, _text, max_size=2)
_limits = st.builds(Limit, value=st.integers(0, 100_000), unit=st.sampled_from(LimitUnit))
_dues = st.builds(Due, at=_instants, provisional=st.booleans())
_attachments = st.lists(st.builds(Attachment, url=_text, name=_text, id=_text), max_size=2).map(tuple)
_codes = st.builds(
    ClassCode,
    edition=st.sampled_from(Edition),
    kind=st.sampled_from(ClassKind),
    major=st.from_regex(r"[0-9]{2}", fullmatch=True),
    minor=st.from_regex(r"[0-9]{2,3}", fullmatch=True),
)
_coordinates = st.builds(Coordinate, x=_numbers, y=_numbers, crs=_text)
_places = st.builds(
    Place,
    address=_text,
    raw=st.none() | _coordinates,
    lon=st.none() | st.floats(-180, 180),
    lat=st.none() | st.floats(-90, 90),
    area=st.none() | _areas,
    grid=st.none() | st.from_regex(r"[0-9]{15}", fullmatch=True),
    method=st.sampled_from(PlaceMethod),
    flags=st.lists(_text, max_size=2).map(tuple),
)
_deadlines = st.builds(SourceDeadline, at=st.none() | _instants, limit=st.none() | _limits, since=st.none() | _instants)
codes = _codes
reports = st.builds(
    Report,
    title=_text,
    description=_text,
    class_code=st.none() | _codes,
    coordinate=st.none() | _coordinates,
    reported_at=st.none() | _instants,
    reporter=st.builds(Reporter, name=_text, phone=_text, withheld=st.booleans()),
    urgency=st.sampled_from(Urgency),
    attachments=_attachments,
    deadline=st.none() | _deadlines,
    leader_assigned=st.booleans(),
    collector=_text,
    extra=_facts,
)
bindings = st.builds(
    Binding,
    case_id=st.uuids(),
    system=_text,
    role=st.sampled_from(BindingRole),
    round=st.integers(1, 99),
    external_id=_text,
    case_key=_text,
    since=st.integers(0, 99),
    extra=_facts,
)
actions = st.builds(
    Action,
    kind=kinds,
    actor=st.builds(Actor, party=parties, id=_text, name=_text),
    at=_instants,
    stated_at=st.none() | _instants,
    reason=_text,
    result=_text,
    report=st.none() | reports,
    class_code=st.none() | _codes,
    place=st.none() | _places,
    unit=_text,
    due=st.none() | _dues,
    source_due=st.none() | _dues,
    limit=st.none() | _limits,
    attachments=_attachments,
    editions=_facts,
)
