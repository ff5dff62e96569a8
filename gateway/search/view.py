"""How what was found looks: a row of facts, and why it is there. Nothing in it tells who reported."""

from canonical.case import Case
from canonical.lifecycle import STAGE_TITLES
from canonical.time import in_shanghai
from gateway.georeport import public
from gateway.masking import masked_reporter
from gateway.search.find import Hit
from gateway.search.names import Names
from gateway.search.terms import Kind
from gateway.views import View
from storage.rows import due_at
from storage.search_index import Indexed


def hit_view(hit: Hit, names: Names) -> View:
    """One case that was found."""
    case, place = hit.case, hit.case.place
    latest, due = case.assignment, due_at(case)
    class_code = str(case.class_code) if case.class_code else None
    unit = latest.unit if latest else ""
    return {
        "no": case.no, "title": public(case.title, case), "stage": case.stage, "stage_title": STAGE_TITLES[case.stage],
        "queue": case.queue, "source": case.source, "owner": case.owner, "unit": unit,
        "unit_title": names.titles.get((Kind.UNIT, unit), ""), "class_code": class_code,
        "class_title": names.titles.get((Kind.CLASS, class_code or ""), ""), "area": place.area,
        "area_title": names.titles.get((Kind.AREA, place.area or ""), ""), "address": public(place.address, case),
        "received_at": in_shanghai(case.received_at).isoformat(),
        "due_at": in_shanghai(due).isoformat() if due else None, "reporter": _reporter(case), "why": hit.why,
    }  # fmt: skip


def _reporter(case: Case) -> View:
    shown = masked_reporter(case.reporter)
    return {"name": shown.name, "phone": shown.phone, "withheld": shown.withheld}


def index_view(standing: Indexed) -> View:
    """How far the index has come: what it has not seen is found by its exact number only."""
    waiting = in_shanghai(standing.waiting).isoformat() if standing.waiting else None
    return {"waiting_since": waiting, "complete": standing.complete}
