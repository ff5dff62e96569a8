"""Personal data as it may be shown: masked by default."""

from canonical.case import Case
from canonical.report import Reporter

_KEEP_HEAD, _KEEP_TAIL = 3, 4


def masked_phone(phone: str) -> str:
    """`138****0001`; short numbers vanish whole."""
    if len(phone) <= _KEEP_HEAD + _KEEP_TAIL:
        return "*" * len(phone)
    return phone[:_KEEP_HEAD] + "*" * (len(phone) - _KEEP_HEAD - _KEEP_TAIL) + phone[-_KEEP_TAIL:]


def masked_name(name: str) -> str:
    """The family name and a star for every further character."""
    return name[:1] + "*" * (len(name) - 1)


def masked_reporter(reporter: Reporter) -> Reporter:
    """The reporter as everybody may see it."""
    return reporter.model_copy(update={"name": masked_name(reporter.name), "phone": masked_phone(reporter.phone)})


def masked(case: Case) -> Case:
    """The case as everybody may see it."""
    return case.model_copy(update={"reporter": masked_reporter(case.reporter)})
