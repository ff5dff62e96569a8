"""Additions: what later messages bring to a known case, such as pictures and remarks. They are comments of the case."""

import hashlib
from collections.abc import Sequence

from canonical.case import Action, Actor, Case
from canonical.lifecycle import ActionKind, Party
from canonical.message import Message, Verdict
from canonical.reading import Addition, Outcome, Reading
from canonical.report import Attachment
from routing.book import Book
from routing.said import spoken_under

REMARKS = "#remarks"
"""Key in a binding's `extra`: digests of the last remarks made under it, so that one told again is not made again."""

_LAST = 16
_DIGITS = 12

_PART = "inline:part:"
"""Pieces of one file have its id in common: only their addresses tell them apart."""


def add(book: Book, case: Case, reading: Reading, addition: Addition, message: Message) -> Outcome:
    """Add what is news of it as a comment; with nothing new in it, it is `repeated`."""
    files = new_files(addition.attachments, case.attachments)
    remark = addition.remark if addition.remark and _is_new(book, case, reading, addition.remark) else ""
    if not files and not remark:
        return Outcome(Verdict.REPEATED, case_no=case.no)
    reason = remark or f"补充附件 ({len(files)} files)"
    comment(book, case, reading, reason, message, stated_at=addition.stated_at, attachments=files)
    return Outcome(Verdict.ADDED, case_no=case.no)


def _is_new(book: Book, case: Case, reading: Reading, remark: str) -> bool:
    """Whether the system has not made this remark under this id before; from now on it has."""
    binding = spoken_under(book, case, reading)
    if binding is None:
        return True
    digest = hashlib.sha256(remark.encode(errors="surrogatepass")).hexdigest()[:_DIGITS]
    made = binding.extra.get(REMARKS, "").split()
    if digest in made:
        return False
    extra = binding.extra | {REMARKS: " ".join([*made, digest][-_LAST:])}
    book.amend(binding.model_copy(update={"extra": extra}))
    return True


def new_files(given: Sequence[Attachment], known: Sequence[Attachment]) -> tuple[Attachment, ...]:
    """Those whose address, and id where they have one, is not known; each once."""
    urls, file_ids = {file.url for file in known}, {_id_of(file) for file in known}
    new = []
    for file in given:
        if file.url not in urls and (not _id_of(file) or _id_of(file) not in file_ids):
            new.append(file)
        urls.add(file.url)
        file_ids.add(_id_of(file))
    return tuple(new)


def _id_of(file: Attachment) -> str:
    return "" if file.url.startswith(_PART) else file.id


def comment(book: Book, case: Case, reading: Reading, reason: str, message: Message, **fields: object) -> None:
    """A remark of the reading's system on a case. `fields`: further ones of the action."""
    party = Party.OWNER if reading.system == case.owner != case.source else Party.SOURCE
    action = Action.model_validate(
        {
            "kind": ActionKind.COMMENT, "actor": Actor(party=party, id=reading.system), "at": book.now,
            "reason": reason, "editions": {"declaration": reading.edition}, **fields,
        }
    )  # fmt: skip
    book.do(case.id, action, message.id)
