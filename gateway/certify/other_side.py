"""The platform's other side, played by the bench from the folder alone where nobody has a simulated platform of it.

It takes what is sent, answers the folder's own sample answers under fresh ids (else what `answers` judges accepted),
serves what the bench offers to the next pull, and misbehaves when told to. It knows what the folder says, no vendor.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from adapters import System
from adapters.declaration import AnswerDeclaration
from adapters.samples import ID, NOW, outbound_samples
from canonical.errors import HubError, Misconfigured
from canonical.message import Message
from gateway.certify.material import renamed
from gateway.stub import CUT, Heard, Route, Stub, server
from gateway.stub_answer import Answered, judged_as, stored

SWITCHES: Mapping[str, float] = {
    "slow": 0, "silent": 0, "down": 0, "drop_answer": 0, "return": 0, "delay": 0, "refuse": 0, "page": 0, "fail": 0,
    "expire": 0, "same_page": 0,
}  # fmt: skip
"""What it can be told. `page`: so many messages are answered by a page for people; `fail`: so many questions by HTTP
500; `expire`: so many by having no right; `slow`, `drop_answer`: the first answer to a message comes late, or never;
`same_page`: every page of a list is the first one, and says more follow.
"""
_REPEATED = 3
_PAGE = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_NO_RIGHT = Answered(b"", "text/plain", 401)
_PROBE = "probe-7f3a91"
_BOUND = ("external_id", "case_key", "reference", "visible_no")
_POLL = 0.02


@dataclass(frozen=True, slots=True)
class Offer:
    """One item that waits at the platform for the next pull."""

    document: Any
    ids: tuple[str, ...]
    """By what a question about one item names it."""
    row: Any = None
    """How the list shows it, where its details are asked for one by one."""


@dataclass(slots=True)
class _State:
    """What it was told to do, and what it has seen."""

    switches: dict[str, float] = field(default_factory=lambda: dict(SWITCHES))
    offers: dict[str, list[Offer]] = field(default_factory=dict)
    garbage: dict[str, bytes] = field(default_factory=dict)
    """Pull to the bytes that answer it once."""
    charset: dict[str, str] = field(default_factory=dict)
    looks: Counter[str] = field(default_factory=Counter)
    """How often each pull was answered."""
    taken: Counter[str] = field(default_factory=Counter)
    """How often each message was taken since the last case was handed over."""
    signed_in: Answered | None = None
    """What signing in was answered last."""
    given: dict[str, Answered] = field(default_factory=dict)
    trouble: str = ""
    """What was wrong with the last message that was not taken."""


class OtherSide(Stub):
    """The stub of a folder, as the bench directs it. Raises Misconfigured when it cannot be played."""

    def __init__(self, folder: Path, system: System) -> None:
        super().__init__(folder, system)
        self.state = _State()
        self.lock = threading.RLock()
        self._rows = {name: _listed_row(folder, name) for name in self._details}

    # --- what the bench tells it ---

    def behave(self, switches: Mapping[str, float | bool]) -> None:
        """Set switches. Raises KeyError with one it does not know."""
        for name, value in switches.items():
            if name not in SWITCHES:
                raise KeyError(name)
            self.state.switches[name] = float(value)

    def calm(self) -> None:
        """Behave, and forget what was offered."""
        with self.lock:
            self.state.switches = dict(SWITCHES)
            self.state.offers.clear()
            self.state.garbage.clear()
            self.state.charset.clear()

    def handing_over(self) -> None:
        """A case is about to be handed over: counting begins anew."""
        with self.lock:
            self.state.taken.clear()
            self.state.given.clear()
            self.state.trouble = ""

    def only(self, pull: str, message: Message, ids: tuple[str, ...]) -> int:
        """Show a message to the next pull, and nothing else."""
        with self.lock:
            self.state.offers[pull] = []
            return self.offer(pull, message, ids)

    def offer(self, pull: str, message: Message, ids: tuple[str, ...]) -> int:
        """Show a message to the next pull, in the place of one with the same ids. What was seen of the list so far."""
        text = message.body.decode(_charset(message.content_type))
        with self.lock:
            if "charset=" in message.content_type.lower():
                self.state.charset[pull] = _charset(message.content_type)
            document = json.loads(text)
            row = self._row(pull, document, ids)
            kept = [one for one in self.state.offers.get(pull, []) if one.ids != ids]
            self.state.offers[pull] = [*kept, Offer(document, ids, row)]
            return self.state.looks[pull]

    def spoil(self, pull: str, body: bytes) -> int:
        """Answer the next question with these bytes. What was seen of the list so far."""
        with self.lock:
            self.state.garbage[pull] = body
            return self.state.looks[pull]

    def looked(self, pull: str, since: int) -> bool:
        """Whether the list was asked for, from beginning to end, after something was put into it."""
        return self.state.looks[pull] >= since + 3

    def has(self, names: set[str]) -> int:
        """How often a message of these was taken since the case was handed over."""
        return sum(self.state.taken[name] for name in names)

    # --- what the hub hears ---

    def hear(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[Answered, Heard]:
        """The answer to a request, as it was told to behave."""
        switches = self.state.switches
        if switches["down"]:
            return Answered(b"", "text/plain", 503), _unheard(method)
        before = sum(self.state.taken.values())
        answer, heard = super().hear(method, target, headers, body)
        first = sum(self.state.taken.values()) > before
        if heard.trouble:
            self.state.trouble = f"{heard.message or heard.method}: {heard.trouble}"
        if switches["slow"] and first:
            time.sleep(switches["slow"])
        if switches["drop_answer"] and first:
            return replace(answer, status=CUT), heard
        return answer, heard

    @property
    def _counted(self) -> frozenset[str]:
        told = {name for messages in self.system.role.tells.values() for name in messages.values()}
        return frozenset(told)

    def kept(self, route: Route) -> Answered | None:
        """The sample answer; that of a list would show the same page for ever."""
        if route.name in {*self._pulls, *self._details, *self._counts}:
            return None
        return stored(self.folder, route.name)

    def listed(self, pull: str, asked: Mapping[str, str]) -> list[Any]:
        """What was offered; of a question about one item or one case, what it names."""
        with self.lock:
            offers = list(self.state.offers.get(pull, []))
        declared = self.system.pull(pull)
        if declared.per_case:
            offers = [one for one in offers if _named(one.ids, asked)]
        rows = [one.document if one.row is None else one.row for one in offers]
        if rows and self.state.switches["same_page"]:
            rows = (rows * declared.page_size)[: declared.page_size] * _REPEATED
        return rows

    def _asked_page(self, pull: str, asked: Mapping[str, str]) -> int:
        if self.state.switches["same_page"]:
            return self.system.pull(pull).first_page
        return super()._asked_page(pull, asked)

    def _answer(self, route: Route, asked: Mapping[str, str], message: Message) -> Answered:
        route = self._meant(route)
        name = route.name
        if (spoiled := self._spoiled(name, route, message)) is not None:
            return spoiled
        if name in self._details:
            return self._detail(route, asked, message)
        if name in self.system.finds.values():
            return self._found(route, asked, message)
        if name in self._counted:
            return self._taken(route, asked, message)
        answer = super()._answer(route, asked, message)
        if self.system.signing_in is not None and self.system.signing_in.message == name:
            self.state.signed_in = answer
        if (pull := self._pulls.get(name)) is not None:
            with self.lock:
                self.state.looks[pull] += 1
                charset = self.state.charset.get(pull)
            if charset:
                kind = answer.content_type.partition(";")[0]
                body = answer.body.decode().replace('encoding="utf-8"', f'encoding="{charset}"')
                return replace(answer, body=body.encode(charset), content_type=f"{kind}; charset={charset}")
        self._acknowledged(name, asked)
        return answer

    def _meant(self, route: Route) -> Route:
        """Several questions may be written alike: then the one is meant about whose list something was offered."""
        alike = [one for one in self.routes if one.name in self._pulls and _address(one) == _address(route)]
        with self.lock:
            offered = [one for one in alike if self.state.offers.get(self._pulls[one.name])]
            for one in alike:
                if one.name != route.name:
                    self.state.looks[self._pulls[one.name]] += not offered
        return next(iter(offered), route)

    def _spoiled(self, name: str, route: Route, message: Message) -> Answered | None:
        """An answer other than the right one, where that was asked for."""
        signs_in = self.system.signing_in is not None and self.system.signing_in.message == name
        switches = self.state.switches
        if switches["page"] > 0 and name in self._counted:  # a question would take it from the message it is meant for
            switches["page"] -= 1
            return Answered(_PAGE, "text/html; charset=utf-8")
        if name in self._pulls and self._shows_token(self._pulls[name]) and not self._has_token(message):
            self.state.trouble = f"{name}: 没有出示登录所得的令牌 | without the token that signing in gave"
            return judged_as(self.system, name, self._answers(route), "unauthenticated", asked=message) or _NO_RIGHT
        if switches["fail"] > 0 and not signs_in:
            switches["fail"] -= 1
            return Answered(b"", "text/plain", 500)
        if switches["expire"] > 0 and not signs_in:
            switches["expire"] -= 1
            no = judged_as(self.system, name, self._answers(route), "unauthenticated", asked=message)
            return no or _NO_RIGHT
        pull = self._pulls.get(name, "")
        with self.lock:
            body = self.state.garbage.pop(pull, None)
            self.state.looks[pull] += body is not None
        return None if body is None else Answered(body)

    def _answers(self, route: Route) -> AnswerDeclaration:
        return self.declared.answers[route.declared.answer]

    def _shows_token(self, pull: str) -> bool:
        """Whether the question for a list shows the token as it was given: then one without it is not answered."""
        if self.system.signing_in is None:
            return False
        try:
            asked = self.system.ask(
                pull, since=NOW, until=NOW, page=1, now=NOW, id=ID, session=_PROBE, binding=dict.fromkeys(_BOUND, "X")
            )
        except HubError:
            return False
        return _shows(asked, _PROBE)

    def _has_token(self, message: Message) -> bool:
        """Whether a message shows what signing in gave."""
        assert self.system.signing_in is not None
        with self.lock:
            given = self.state.signed_in
        try:
            return given is not None and _shows(message, self.system.token(given.message("s")).value)
        except HubError:
            return False

    def _taken(self, route: Route, asked: Mapping[str, str], message: Message) -> Answered:
        """A message that is told. Sent again, it is the same one where the declaration says that repeats are safe.

        Which case it is about the bench cannot read: one that is guarded comes again only while answers are lost.
        """
        name, repeat = route.name, route.declared.repeat
        answers = self._answers(route)
        if self.state.switches["refuse"] and (no := judged_as(self.system, name, answers, "refused", asked=message)):
            return no
        with self.lock:
            before = self.state.given.get(name)
            lost = self.state.switches["slow"] or self.state.switches["drop_answer"]
            if before is not None and repeat == "guarded" and lost:
                kinds = ("duplicate", "refused")
                made = (judged_as(self.system, name, answers, kind, asked=message) for kind in kinds)
                return next(filter(None, made), before)
            if before is not None and repeat == "safe":
                return before
            answer = self._fresh(route, super()._answer(route, asked, message))
            self.state.taken[name] += 1
            self.state.given[name] = answer
            return answer

    def _fresh(self, route: Route, answer: Answered) -> Answered:
        """A sample answer under an id of its own: no two cases have one id at the platform."""
        if stored(self.folder, route.name) is None:
            return answer
        self._number += 1
        try:
            told = self.system.judge(route.name, answer.message(self.system.role.id))
        except HubError:
            return answer
        ids = {one: _another(one, self._number) for one in (told.external_id, told.visible_no) if one}
        body = renamed(answer.message("s"), ids).body
        return replace(answer, body=body)

    def _found(self, route: Route, asked: Mapping[str, str], message: Message) -> Answered:
        """Asked by our number: what it has of it, else that it has nothing."""
        told = next(message for message, find in self.system.finds.items() if find == route.name)
        answers = self._answers(route)
        with self.lock:
            given = self.state.given.get(told)
        if given is None:
            none = judged_as(self.system, route.name, answers, "absent", asked=message)
            return none or super()._answer(route, asked, message)
        answer = super()._answer(route, asked, message)
        try:
            had = self.system.judge(told, given.message("s")).external_id
            found = self.system.judge(route.name, replace(answer.message("s"), asked=message)).external_id
        except HubError:
            return answer
        return replace(answer, body=renamed(answer.message("s"), {found: had}).body) if found and had else answer

    def _detail(self, route: Route, asked: Mapping[str, str], message: Message) -> Answered:
        """One item that is asked for by its ids."""
        pull = self._details[route.name]
        with self.lock:
            offers = list(self.state.offers.get(pull, []))
        asked_for = [one for one in offers if _named(one.ids, asked)]
        if not asked_for and offers and not self.system.pull(pull).per_case:
            asked_for = offers[:1]
        answers = self._answers(route)
        if not asked_for:
            none = judged_as(self.system, route.name, answers, "absent", asked=message)
            return none or Answered(b"", "text/plain", 404)
        return self.detail_of(route, asked_for[0].document, message)

    def _acknowledged(self, name: str, asked: Mapping[str, str]) -> None:
        """What the hub says it has, the platform keeps no longer."""
        for pull in self.system.pulls:
            declared = pull.declared.acknowledge
            if declared is None or declared.message != name:
                continue
            with self.lock:
                offers = self.state.offers.get(pull.name, [])
                self.state.offers[pull.name] = [one for one in offers if not _named(one.ids, asked)]

    def _row(self, pull: str, document: Any, ids: tuple[str, ...]) -> Any:  # noqa: ANN401
        """The item as the list shows it: the row of the sample question for its details, under this item's ids."""
        ask = next((ask for ask, name in self._details.items() if name == pull), "")
        row = self._rows.get(ask)
        if row is None or not ids:
            return document if ask else None
        return row | {
            key: ids[0] for key, value in row.items() if isinstance(value, str) and key in _keys(document, ids)
        }


def _shows(message: Message, words: str) -> bool:
    text = " ".join([message.path, *message.headers.values(), message.body.decode("utf-8", "replace")])
    return words in text or words in unquote_plus(text)


def _address(route: Route) -> tuple[object, ...]:
    return route.declared.method, route.pattern.pattern, tuple(sorted(route.query)), route.operation


def _keys(document: Any, ids: tuple[str, ...]) -> set[str]:  # noqa: ANN401
    """Members that hold the item's ids."""
    if not isinstance(document, dict):
        return set()
    return {key for key, value in document.items() if str(value) in ids}


def _listed_row(folder: Path, ask: str) -> Any:  # noqa: ANN401
    """The row by which a sample of the question for details asks; None when there is none."""
    for path in outbound_samples(folder):
        golden = json.loads(path.read_text(encoding="utf-8"))
        if golden.get("message") == ask:
            row = golden.get("names", {}).get("pull", {}).get("item")
            return row if isinstance(row, dict) else None
    return None


def _named(ids: tuple[str, ...], asked: Mapping[str, str]) -> bool:
    """Whether a request names one of the ids, whole or as part of a path, a query or a member."""
    said = " ".join(unquote_plus(value) for value in asked.values())
    return any(one in said for one in ids if one)


def _another(text: str, number: int) -> str:
    """An id of the same shape."""
    digits = str(number)
    kept = text.rstrip("0123456789")
    width = len(text) - len(kept)
    return f"{kept}{digits.zfill(width)}" if width >= len(digits) else f"{text}{digits}"


def _charset(content_type: str) -> str:
    return content_type.lower().partition("charset=")[2].split(";")[0].strip() or "utf-8"


def _unheard(method: str) -> Heard:
    return Heard(method, "", "", "", "", None, 0)


@contextmanager
def serving(side: OtherSide) -> Iterator[str]:
    """The other side on a port of its own; its address."""
    with server(side, "127.0.0.1", 0, lambda _: None) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": _POLL}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_address[1]}"
        finally:
            running.shutdown()
            thread.join(10)


def playable(folder: Path, system: System) -> OtherSide | None:
    """The other side of a folder, where it has one that speaks HTTP or SOAP."""
    try:
        return OtherSide(folder, system)
    except Misconfigured:
        return None
