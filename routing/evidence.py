"""Evidence: files that come with later tellings of an alarm belong to its open case, up to a bound."""

from canonical.case import Case
from canonical.reading import Addition, Reading
from routing.adding import new_files

MOST_FILES = 20
"""A case of an alarm with so many files gets no more of them from its device."""


def with_evidence(reading: Reading, case: Case) -> tuple[Reading, str]:
    """The reading with its report's files among what it adds, as far as they are new and there is room; and how many
    files there was no room for, in words.
    """
    stated, report = reading.addition, reading.report
    given = (*(stated.attachments if stated else ()), *(report.attachments if report else ()))
    files = new_files(given, case.attachments)
    kept = files[: max(0, MOST_FILES - len(case.attachments))]
    left_out = f"; {len(files) - len(kept)} files left out, it has {MOST_FILES}" if len(kept) < len(files) else ""
    if stated is None and not kept:
        return reading, left_out
    addition = (stated or Addition()).model_copy(update={"attachments": kept})
    return reading.model_copy(update={"addition": addition}), left_out
