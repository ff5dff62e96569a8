"""Comparing two lists 对账: ours and theirs become lines, each matter on exactly one. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from canonical.reconciliation import Line, LineClass, Ours, Terms, Theirs

_PASSING = frozenset(
    {LineClass.MISSING_THERE, LineClass.MISSING_HERE, LineClass.STATE_DIFFERS, LineClass.DETAIL_DIFFERS}
)
"""Differences that what is on its way may explain."""


def compare(
    ours: Sequence[Ours], theirs: Iterable[Theirs], terms: Terms, unheard: Mapping[str, str] | None = None
) -> list[Line]:
    """One line for each of ours, then one for each item of theirs that none of ours is.

    `unheard`: by subject why the system could not say anything about one of ours. Items with one id are one item: the
    one that changed last counts. What need not be here, and is not, is no line.
    """
    known, spare = _matched(ours, _once(theirs))
    lines = [_ours(one, known.get(one.subject), terms, (unheard or {}).get(one.subject, "")) for one in ours]
    return lines + [line for item, of in spare if (line := _spare(item, of, terms)) is not None]


def subject_of(item: Theirs) -> str:
    """What a line about an item that we do not have is known by."""
    return f"theirs:{item.external_id or item.reference}"


def _once(theirs: Iterable[Theirs]) -> list[Theirs]:
    kept: dict[str, Theirs] = {}
    for item in theirs:
        before = kept.get(subject_of(item))
        if before is None or _instant(before) <= _instant(item):
            kept[subject_of(item)] = item
    return list(kept.values())


def _instant(item: Theirs) -> float:
    return item.changed_at.timestamp() if item.changed_at else float("-inf")


def _matched(
    ours: Sequence[Ours], theirs: Sequence[Theirs]
) -> tuple[dict[str, Theirs], list[tuple[Theirs, Ours | None]]]:
    """The item of each of ours, by subject; and the other items, each with the one of ours that it names, if any."""
    by_id = {external_id: one for one in ours for external_id in one.external_ids}
    by_reference = {one.reference: one for one in ours if one.reference}
    claims: dict[str, list[Theirs]] = {}
    spare: list[tuple[Theirs, Ours | None]] = []
    owners: dict[str, Ours] = {}
    for item in theirs:
        one = by_id.get(item.external_id) or by_reference.get(item.reference or item.external_id)
        if one is None:
            spare.append((item, None))
            continue
        owners[one.subject] = one
        claims.setdefault(one.subject, []).append(item)
    known: dict[str, Theirs] = {}
    for subject, items in claims.items():
        one = owners[subject]
        items.sort(key=lambda item: (_rank(one, item), -_instant(item)))
        known[subject] = items[0]
        spare += ((item, one) for item in items[1:])
    return known, spare


def _rank(one: Ours, item: Theirs) -> int:
    return one.external_ids.index(item.external_id) if item.external_id in one.external_ids else len(one.external_ids)


def _ours(one: Ours, item: Theirs | None, terms: Terms, unheard: str) -> Line:
    class_, text = _alone(one, terms, unheard) if item is None else _both(one, item, terms)
    explained = _on_its_way(one, item, terms) if class_ in _PASSING else ""
    if explained:
        class_, text = LineClass.IN_FLIGHT, f"{text}; {explained}"
    general = class_ is LineClass.UNKNOWN_THERE and item is None and not unheard
    return Line(class_, one.subject, one, item, text, general=general)


def _alone(one: Ours, terms: Terms, unheard: str) -> tuple[LineClass, str]:
    """The system says nothing of it."""
    if terms.told:
        return _silent(one, None, terms)
    if unheard:
        return LineClass.UNKNOWN_THERE, unheard
    if one.earlier:
        return LineClass.AGREE, "an earlier round"
    if not terms.whole:
        return LineClass.UNKNOWN_THERE, terms.trouble or "the list is not whole"
    if terms.since is not None and max(one.changed_at, one.heard_at) < terms.since:
        return LineClass.UNKNOWN_THERE, f"it rests since before {terms.since:%Y-%m-%d}, where the list ends"
    return LineClass.MISSING_THERE, f"here {one.stage}, there nothing"


def _both(one: Ours, item: Theirs, terms: Terms) -> tuple[LineClass, str]:
    if one.earlier:
        return LineClass.AGREE, "an earlier round"
    if item.trouble:
        return LineClass.UNKNOWN_THERE, item.trouble
    stages = item.stages.get(one.part, item.stages.get(""))
    if stages is not None and one.stage not in stages:
        return LineClass.STATE_DIFFERS, f"here {one.stage}, there '{item.state}'"
    detail = "; ".join(found for check in _DETAILS if (found := check(one, item, terms)))
    if detail:
        return LineClass.DETAIL_DIFFERS, detail
    return _silent(one, item, terms)


def _times(one: Ours, item: Theirs, terms: Terms) -> str:
    if terms.apart is None:
        return ""
    both = ((name, one.times.get(name), at) for name, at in item.times.items())
    apart = [name for name, here, there in both if here is not None and abs(here - there) > terms.apart]
    return f"{', '.join(apart)} more than {terms.apart.total_seconds():g} s apart" if apart else ""


def _files(one: Ours, item: Theirs, _terms: Terms) -> str:
    if item.attachments is None or item.attachments == one.attachments:
        return ""
    return f"here {one.attachments} files, there {item.attachments}"


_DETAILS: tuple[Callable[[Ours, Theirs, Terms], str], ...] = (_times, _files)


def _silent(one: Ours, item: Theirs | None, terms: Terms) -> tuple[LineClass, str]:
    """Agreed, unless nobody has said a word for too long. What has ended may rest, and what is on its way is a word."""
    if terms.stale is None or one.ended or one.underway:
        return LineClass.AGREE, ""
    said = item.changed_at if item is not None else None
    heard = max(one.heard_at, said) if said is not None and _believed(said, terms) else one.heard_at
    silence = terms.as_of - heard
    if silence <= terms.stale:
        return LineClass.AGREE, ""
    return LineClass.STALE, f"here {one.stage}; nothing was said since {heard:%Y-%m-%d %H:%M}"


def _on_its_way(one: Ours | None, item: Theirs | None, terms: Terms) -> str:
    """What explains a difference; empty when nothing does."""
    if one is not None and one.underway:
        return one.underway
    since = terms.as_of - terms.settle
    if one is not None and one.changed_at > since:
        return "it changed here just now"
    if (
        item is not None
        and item.changed_at is not None
        and _believed(item.changed_at, terms)
        and item.changed_at > since
    ):
        return "it changed there just now"
    return ""


def _believed(at: datetime | None, terms: Terms) -> bool:
    """A clock that runs far ahead must not keep a difference on its way for ever."""
    return at is not None and at <= terms.as_of + terms.settle


def _spare(item: Theirs, of: Ours | None, terms: Terms) -> Line | None:
    subject = subject_of(item)
    if of is not None and item.external_id in of.external_ids:
        return Line(LineClass.AGREE, subject, None, item, f"another id of case {of.case_no}")
    if of is not None:
        text = f"there '{item.state}'; a second one of case {of.case_no}"
    elif not item.expected:
        return None
    else:
        text = f"there '{item.state}', here nothing" + (f"; {item.trouble}" if item.trouble else "")
    explained = _on_its_way(None, item, terms)
    class_ = LineClass.IN_FLIGHT if explained else LineClass.MISSING_HERE
    return Line(class_, subject, None, item, f"{text}; {explained}" if explained else text)
