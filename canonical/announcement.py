"""What other platforms are told of a case's events, as CloudEvents 1.0: rendered here and nowhere else.

Pure: one event and the case as that event left it become one document. The same event always gives the same document,
so whoever hears it twice can drop one by its id. Without a declared right it holds no word a person wrote and nothing
about a person.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import Field

from canonical.case import Case, Event, Queue
from canonical.errors import IllegalAction
from canonical.lifecycle import ActionKind, Party, Stage
from canonical.report import Attachment, Reporter, Urgency
from canonical.time import Due, Instant, Limit
from canonical.value import Value

SCHEMA = "urn:gridhub:announcement:1"
"""`dataschema`: a later version that takes something away or changes a meaning gets another number."""
TYPE = "gridhub.case."
"""What the type of every one of these CloudEvents begins with; the action follows."""
NONE = "none"
"""Stands in a routing key where there is nothing to say."""
WORD = "case"


class Right(StrEnum):
    """What listeners may be told beyond codes and times. A city declares it; the default is nothing of this."""

    PLACE = "place"
    """The exact point and the address as written."""
    TEXTS = "texts"
    """What people wrote: title, description, reasons, results."""
    FILES = "files"
    """References to pictures and files."""
    REPORTER = "reporter"
    """Name and number of who reported, unless withheld."""


class AnnouncedCase(Value):
    """The case as the event left it."""

    no: str
    stage: Stage
    queue: Queue | None = None
    """Which of the centre's queues it waits in."""
    source: str
    owner: str = ""
    unit: str = ""
    class_code: str | None = None
    """Edition, kind, major and minor: `30428.2:E04-06`."""
    standard: str = ""
    area: str | None = None
    """Division code, the finest known."""
    grid: str | None = None
    urgency: Urgency = Urgency.NORMAL
    received_at: Instant
    reported_at: Instant | None = None
    filed_at: Instant | None = None
    due: Due | None = None
    source_due: Due | None = None
    disposed_at: Instant | None = None
    closed_at: Instant | None = None
    round: int = 0
    reports: int = 1
    returns: int = 0
    reworks: int = 0
    evaluation: str = ""
    """`satisfied` or `dissatisfied`; other words need the right `texts`."""
    merged_into: str = ""
    lon: float | None = None
    """Needs the right `place`, as `lat` and `address` do."""
    lat: float | None = None
    address: str = ""
    title: str = ""
    """Needs the right `texts`, as `description`, `channel` and `result` do."""
    description: str = ""
    channel: str = ""
    result: str = ""
    attachments: tuple[Attachment, ...] = ()
    """Needs the right `files`."""
    reporter: Reporter | None = None
    """Needs the right `reporter`."""


class Announcement(Value):
    """The data of one CloudEvent: what happened, and the case after it."""

    seq: int
    """1, 2, 3 ... within the case, without gaps."""
    action: ActionKind
    at: Instant
    stated_at: Instant | None = None
    party: Party
    actor: str = ""
    """The system, or the rule of the hub; of a person only the party is told."""
    from_: Stage | None = Field(default=None, serialization_alias="from")
    to: Stage
    unit: str = ""
    system: str = ""
    due: Due | None = None
    limit: Limit | None = None
    target: str = ""
    """The case that remains, when merging."""
    reason: str = ""
    """Needs the right `texts`, as `result` does."""
    result: str = ""
    case: AnnouncedCase


class Told(NamedTuple):
    """A CloudEvent, and the words by which brokers route it."""

    document: dict[str, Any]
    routing_key: str


def as_events_left_it(case: Case, events: Iterable[Event]) -> dict[int, Case]:
    """The case after each of its events, by `seq`, folded anew; `events` begin with the first.

    What cannot be folded with today's table (an event of older days) keeps the present state.
    """
    states: dict[int, Case] = {}
    past: Case | None = None
    for event in events:
        try:
            past = past.after(event) if past else Case.opened(event, no=case.no, sequence=case.sequence)
        except (IllegalAction, ValueError, AssertionError):
            return states
        states[event.seq] = past
    return states


def announced(event: Event, case: Case, *, rights: frozenset[Right] = frozenset()) -> Announcement:
    """What is told of this event; `case` is the case as the event left it."""
    action = event.action
    texts = Right.TEXTS in rights
    return Announcement(
        seq=event.seq, action=action.kind, at=action.at, stated_at=action.stated_at, party=action.actor.party,
        actor="" if action.actor.party is Party.CENTRE else action.actor.id, from_=event.from_, to=event.to,
        unit=action.unit, system=action.system, due=action.due, limit=action.limit, target=action.target,
        reason=action.reason if texts else "", result=action.result if texts else "",
        case=_announced_case(case, rights),
    )  # fmt: skip


def cloud_event(event: Event, case: Case, *, city: str, rights: frozenset[Right] = frozenset()) -> dict[str, Any]:
    """The CloudEvent (structured mode, JSON) of this event; `case` is the case as the event left it."""
    data = announced(event, case, rights=rights)
    return {
        "specversion": "1.0", "id": event_id(event.case_id, event.seq), "source": source_of(city),
        "type": f"{TYPE}{event.action.kind}", "subject": case.no, "time": event.action.at.isoformat(),
        "datacontenttype": "application/json", "dataschema": SCHEMA, "partitionkey": case.no,
        "sequence": f"{event.seq:010}", "data": data.model_dump(mode="json", by_alias=True, exclude_defaults=True),
    }  # fmt: skip


def event_id(case_id: UUID, seq: int) -> str:
    """The id that every telling of this event has."""
    return f"{case_id}-{seq}"


def source_of(city: str) -> str:
    """`source` of a city's CloudEvents."""
    return f"urn:gridhub:city:{city}"


def routing_key(event: Event, case: Case) -> str:
    """`case.<action>.<source>.<owner>.<county>.<street>.<community>`: as many words of the place as are known.

    `case.*.*.*.340202.#` is everything in one county, `case.close.#` every closing, `case.*.hotline_12345.#` all that
    one source reported.
    """
    return ".".join((WORD, event.action.kind, _word(case.source), _word(case.owner), *_area_words(case)))


_CITY, _COUNTY, _STREET, _COMMUNITY = 4, 6, 9, 12


def _area_words(case: Case) -> Iterable[str]:
    code = (case.place.grid or case.place.area or "")[:_COMMUNITY]
    if len(code) < _COUNTY:
        return (code or NONE,)
    return filter(None, (code[:_COUNTY], code[_COUNTY:_STREET], code[_STREET:]))


def _word(name: str) -> str:
    """A name as one word of a routing key."""
    return name.replace(".", "_") or NONE


def _announced_case(case: Case, rights: frozenset[Right]) -> AnnouncedCase:
    place, unit = case.place, case.assignment.unit if case.assignment else ""
    exact, texts = Right.PLACE in rights, Right.TEXTS in rights
    return AnnouncedCase(
        no=case.no, stage=case.stage, queue=case.queue, source=case.source, owner=case.owner, unit=unit,
        class_code=str(case.class_code) if case.class_code else None, standard=case.standard, area=place.area,
        grid=place.grid, urgency=case.urgency, received_at=case.received_at,
        reported_at=case.reported_at, filed_at=case.filed_at, due=case.due, source_due=case.source_due,
        disposed_at=case.disposed_at, closed_at=case.closed_at, round=case.round, reports=case.reports,
        returns=case.returns, reworks=case.reworks, evaluation=_graded(case.evaluation, texts),
        merged_into=case.merged_into, lon=place.lon if exact else None, lat=place.lat if exact else None,
        address=place.address if exact else "", title=case.title if texts else "",
        description=case.description if texts else "", channel=case.channel if texts else "",
        result=case.result if texts else "", attachments=case.attachments if Right.FILES in rights else (),
        reporter=case.reporter if Right.REPORTER in rights else None,
    )  # fmt: skip


_GRADES = frozenset({"satisfied", "dissatisfied"})


def _graded(evaluation: str, texts: bool) -> str:
    return evaluation if texts or evaluation in _GRADES else ""
