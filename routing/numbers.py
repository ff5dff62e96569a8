"""Our own numbers as other systems bring them back: the reference (number and round), or the case's number alone.

Only a system that has, or had, a part in the case may name it so: a number that somebody guessed leads nowhere.
"""

from canonical.case import BindingRole, Case
from canonical.errors import Unacceptable, Why
from canonical.reading import Reading
from canonical.records import Known


def named_by_us(known: Known, reading: Reading) -> tuple[Case | None, int | None]:
    """(case, round) that the reading names by our number, as its reference or in the place of its own id.

    The round is None for a source, which has none. Raises Unacceptable when the number alone could mean several rounds.
    """
    said = reading.reference or reading.external_id
    no, hyphen, round_ = said.partition("-")
    case_id = known.by_no.get(no)
    case = known.cases.get(case_id) if case_id else None
    if case is None or (hyphen and not round_.isdigit()):
        return None, None
    own = rounds_of(case, reading.system)
    if hyphen:
        return (case, int(round_)) if own else (None, None)
    if len(own) > 1:
        text = f"case {no} was given to you {len(own)} times: say which, as {no}-{own[-1]}"
        raise Unacceptable(text, why=Why.UNKNOWN_CASE)
    if own:
        return case, own[0]
    is_source = any(
        binding.system == reading.system and binding.role is BindingRole.SOURCE
        for binding in known.of_case.get(case.id, ())
    )
    return (case, None) if is_source and reading.report is None else (None, None)


def rounds_of(case: Case, system: str) -> list[int]:
    """The rounds in which the case was given to this system."""
    return [assignment.round for assignment in case.assignments if assignment.system == system]
