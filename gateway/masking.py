"""Personal data as it may be shown: masked by default."""

import re

from canonical.case import Case
from canonical.report import Reporter

_PERSONAL = re.compile(
    r"(?<![0-9])(?:(?:(?:00)?86[- ]?)?1[3-9][0-9][- ]?[0-9]{4}[- ]?[0-9]{4}|0[0-9]{2,3}[- ]?[0-9]{7,8}"
    r"|[0-9]{17}[0-9Xx])(?![0-9])|[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:[.][A-Za-z0-9-]+)+"
)
"""Mobile and fixed telephones, identity cards, and e-mail."""
_KEEP_HEAD, _KEEP_TAIL = 3, 4


def masked_phone(phone: str) -> str:
    """`138****0001`; short numbers vanish whole."""
    if len(phone) <= _KEEP_HEAD + _KEEP_TAIL:
        return "*" * len(phone)
    return phone[:_KEEP_HEAD] + "*" * (len(phone) - _KEEP_HEAD - _KEEP_TAIL) + phone[-_KEEP_TAIL:]


def masked_name(name: str) -> str:
    """The family name and a star for every further character."""
    return name[:1] + "*" * (len(name) - 1)


def masked_text(text: str, *known: str) -> str:
    """A text without these names and numbers, and without what looks like a telephone, an identity or e-mail."""
    for personal in known:
        if len(personal) > 1:
            text = text.replace(personal, "*" * len(personal))
    return _PERSONAL.sub(lambda found: "*" * len(found[0]), text)


def masked_reporter(reporter: Reporter) -> Reporter:
    """The reporter as everybody may see it."""
    return reporter.model_copy(update={"name": masked_name(reporter.name), "phone": masked_phone(reporter.phone)})


def masked(case: Case) -> Case:
    """The case as everybody may see it."""
    return case.model_copy(update={"reporter": masked_reporter(case.reporter)})
