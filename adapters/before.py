"""What is asked before a message can be written, and what its rules see of the answers. Pure: others do the asking."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from adapters.around import beside
from adapters.explain import near
from adapters.message_declaration import BeforeEach, InboundDeclaration, OutboundDeclaration
from adapters.path import ANYTHING, Get, Names, names_at
from adapters.scope import Scope
from adapters.value import as_list, empty
from adapters.yaml_file import Where
from canonical.errors import HubError, InDoubt, Refused, Unavailable
from canonical.message import Message

MOST = 20
"""Questions of one `each`: a case with more files than that is no case for a person."""

Declarations = Mapping[str, InboundDeclaration | OutboundDeclaration]


@dataclass(frozen=True, slots=True)
class Question:
    """One entry of `before`."""

    name: str
    message: str
    items: Get | None
    """The list that is gone through, out of what the message itself sees; None: asked once."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A message to be written, sent and answered now."""

    message: str
    names: Mapping[str, Any] = field(repr=False)
    """What it may use besides all that the message itself may use: the answers so far, and its `file`."""


@dataclass(frozen=True, slots=True)
class Before:
    """What came of the asking."""

    answers: Mapping[str, Any] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()
    """What was left out, for people."""


Heard = tuple[Message, Any]
"""An answer and its document, as System.heard found it."""
Asking = Generator[Ask, Heard | None, Before]
"""Gives what is to be asked, and is sent what was heard; None for an item that has to be left out."""


def asking(questions: Sequence[Question], view: Mapping[str, Any]) -> Asking:
    """Every question in order. Raises what asking raises; what is in doubt harms nobody and is Unavailable."""
    answers: dict[str, Any] = {}
    notes: list[str] = []
    for question in questions:
        seen = {**view, "before": dict(answers)}
        if question.items is None:
            answers[question.name] = yield from _asked(question, {"before": seen["before"]})
            continue
        items = as_list(question.items(seen))
        if len(items) > MOST:
            notes.append(f"{question.message}: the first {MOST} of {len(items)} were asked for")
        found = []
        for item in items[:MOST]:
            answer = yield from _asked(question, {"before": seen["before"], "file": item})
            if answer is not None:
                found.append(answer)
        answers[question.name] = found
    return Before(answers, tuple(notes))


def _asked(question: Question, names: Mapping[str, Any]) -> Generator[Ask, Heard | None, Any]:
    """The document with what stands around it; None when the item was left out."""
    try:
        heard = yield Ask(question.message, names)
    except (InDoubt, Unavailable) as error:
        after = getattr(error, "retry_after", None)
        raise Unavailable(f"{question.message}: {error}", retry_after=after) from None
    except Refused as error:
        raise Refused(f"{question.message}: {error}", why=error.why) from None
    if heard is None:
        return None
    answer, document = heard
    return _around(document, answer, names.get("file"))


def _around(document: object, answer: Message, item: object) -> Any:  # noqa: ANN401
    """A text or a list has room for nothing else."""
    if not isinstance(document, dict) and not empty(document):
        return document
    members = {"$headers": dict(answer.headers), "$status": answer.status or None}
    return beside(document, members if item is None else {**members, "$file": item})


def answered(asked: Asking, hear: Callable[[Ask], Heard | None]) -> Before:
    """Ask by `hear` until everything is known. Raises what it raises; what is in doubt is Unavailable."""
    try:
        ask = next(asked)
        while True:
            try:
                heard = hear(ask)
            except HubError as error:
                ask = asked.throw(error)
            else:
                ask = asked.send(heard)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


# --- compiling ---


def compile_before(declared: OutboundDeclaration, scope: Scope) -> tuple[Question, ...]:
    """The questions of a message; a list that is none is a finding."""
    scope = replace(scope, context=set())
    return tuple(_question(name, one, scope) for name, one in declared.before.items())


def _question(name: str, declared: str | BeforeEach, scope: Scope) -> Question:
    if isinstance(declared, str):
        return Question(name, declared, None)
    where: Where = ("before", name, "each")
    found = len(scope.findings)
    get = scope.path(declared.each, where)
    if found == len(scope.findings) and "[]" not in names_at(declared.each, scope.names):
        scope.wrong(where, f"a list is expected, such as case.attachments, not '{declared.each}'")
    return Question(name, declared.ask, get)


def asked_message(declared: str | BeforeEach) -> str:
    """The message that an entry asks."""
    return declared if isinstance(declared, str) else declared.ask


def answers_seen(name: str, declarations: Declarations) -> Names:
    """The names below `before` in a message: its own, and of each message that asks it those asked earlier."""
    known: dict[str, Any] = {}
    for asker, declared in declarations.items():
        if not isinstance(declared, OutboundDeclaration):
            continue
        for entry, one in declared.before.items():
            if asker == name:
                known[entry] = ANYTHING
            elif asked_message(one) == name:
                known |= dict.fromkeys(_above(entry, declared), ANYTHING)
    return known


def _above(entry: str, declared: OutboundDeclaration) -> Iterator[str]:
    for name in declared.before:
        if name == entry:
            return
        yield name


def item_seen(name: str, declarations: Declarations, file: Names) -> Names:
    """The names below `file` in a message: those of a file, or any where it is asked for items of another list."""
    outbound = (one for one in declarations.values() if isinstance(one, OutboundDeclaration))
    entries = [one for declared in outbound for one in declared.before.values() if isinstance(one, BeforeEach)]
    if all(one.each.endswith("attachments") for one in entries if one.ask == name):
        return file
    return {**file, "$file": file, **ANYTHING}


def check_before(declared: OutboundDeclaration, declarations: Declarations, scope: Scope) -> None:
    """Every message that is asked is there, is harmless to ask, and asks nothing before itself."""
    for entry, one in declared.before.items():
        name, where = asked_message(one), ("before", entry, *(() if isinstance(one, str) else ("ask",)))
        asked = declarations.get(name)
        outbound = [key for key, other in declarations.items() if isinstance(other, OutboundDeclaration)]
        if not isinstance(asked, OutboundDeclaration):
            scope.wrong(where, f"no outbound message '{name}'" + near(name, outbound))
        elif asked.direction != "ask":
            scope.wrong(where, f"'{name}' tells; only what is harmless to repeat is asked before: direction: ask")
        elif asked.before:
            scope.wrong(where, f"'{name}' has a before itself; write its questions here, above this one")
