"""The tables. Present state beside events, raw bytes in the journal, one row a delivery.

There are no foreign keys: all writers go through one transaction in this room, and the checks would cost more than the
rows (see docs/adr/0003). A test counts orphans instead.
"""

from storage.tables.assessment import (
    FACT_MARKED,
    FACT_PARTS,
    assessment_edition,
    assessment_sheet,
    fact,
    fact_end,
    fact_run,
    fact_todo,
)
from storage.tables.base import INSTANT, metadata
from storage.tables.cases import (
    NUMBERS_AT_ONCE,
    binding,
    case_number,
    cases,
    clock_step,
    delivery,
    event,
    message,
    shadow,
)
from storage.tables.keeping import edition, replay, replay_item, retention_cut, seal, sealing
from storage.tables.people import account_change, oidc_asked, person, session, sign_in, viewing
from storage.tables.reconciliation import compared, difference, difference_act, listed, statement, statement_line
from storage.tables.tally import COUNTED, tally, tally_change
from storage.tables.traffic import (
    alarm,
    alarm_cap,
    announcement,
    attachment,
    cursor,
    memory,
    notice,
    notice_telling,
    publication,
    seen,
    switch,
    worker,
)
from storage.tables.upstream import upstream_drift, upstream_look

__all__ = [
    "COUNTED",
    "FACT_MARKED",
    "FACT_PARTS",
    "INSTANT",
    "NUMBERS_AT_ONCE",
    "account_change",
    "alarm",
    "alarm_cap",
    "announcement",
    "assessment_edition",
    "assessment_sheet",
    "attachment",
    "binding",
    "case_number",
    "cases",
    "clock_step",
    "compared",
    "cursor",
    "delivery",
    "difference",
    "difference_act",
    "edition",
    "event",
    "fact",
    "fact_end",
    "fact_run",
    "fact_todo",
    "listed",
    "memory",
    "message",
    "metadata",
    "notice",
    "notice_telling",
    "oidc_asked",
    "person",
    "publication",
    "replay",
    "replay_item",
    "retention_cut",
    "seal",
    "sealing",
    "seen",
    "session",
    "shadow",
    "sign_in",
    "statement",
    "statement_line",
    "switch",
    "tally",
    "tally_change",
    "upstream_drift",
    "upstream_look",
    "viewing",
    "worker",
]
