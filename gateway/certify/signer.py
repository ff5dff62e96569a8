"""A message shown to come from who sends it: secrets, signatures and fresh stamps, by the door's own declaration.

The bench knows the secrets of its run, so what a door computes to compare it can compute to show. A signature by a
private key that is not ours stays as the sample has it.
"""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from adapters import System
from adapters.around import Around, beside
from adapters.check_declaration import Authenticate
from adapters.declaration import SystemDeclaration
from adapters.path import ANYTHING, Get
from adapters.rule import compile_rule
from adapters.scope import Scope, functions_of
from adapters.yaml_file import read_yaml
from canonical.errors import HubError
from canonical.message import Message
from gateway.certify.moment import rewritten

_ROUNDS = 4
"""A signature may be part of what another one signs: signed again until nothing changes."""


@dataclass(frozen=True, slots=True)
class Signer:
    """What the doors of one system ask for, and how a message is made to show it."""

    folder: Path
    declared: SystemDeclaration
    system: System
    secrets: Mapping[str, str] = field(repr=False)

    def signed(self, message: Message, now: datetime) -> Message:
        """The message with everything its door asks for; as it is where it cannot be opened."""
        door = self.declared.doors.get(message.door)
        checks = checks_of(door.authenticate if door else None)
        message = self._showing(message, checks)
        for one in checks:
            if one.fresh is not None:
                message = self._stamped(message, one.fresh.at, now)
        for _ in range(_ROUNDS):
            before = message
            for one in checks:
                if one.signature is not None and one.signature.verify is None:
                    message = self._resigned(message, one.signature.shown, one.signature.of)
            if message == before:
                break
        return message

    def signs(self, message: Message) -> bool:
        """Whether a signed message shows every signature that its door computes."""
        door = self.declared.doors.get(message.door)
        signatures = [one.signature for one in checks_of(door.authenticate if door else None) if one.signature]
        return all(
            one.verify is None and self._value(message, one.shown) == self._value(message, one.of) is not None
            for one in signatures
        )

    def spoiled(self, message: Message) -> Message:
        """The message with every signature it shows changed in one character."""
        door = self.declared.doors.get(message.door)
        for one in checks_of(door.authenticate if door else None):
            shown = self._value(message, one.signature.shown) if one.signature else None
            if isinstance(shown, str) and shown:
                message = replaced(message, shown, ("B" if shown[0] == "A" else "A") + shown[1:])
        return message

    def _showing(self, message: Message, checks: tuple[Authenticate, ...]) -> Message:
        headers, path = dict(message.headers), message.path
        for check in checks:
            if check.basic:
                pair = f"{self.secrets.get(check.basic.username, '')}:{self.secrets.get(check.basic.password, '')}"
                headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
            secret = next((self.secrets[name] for name in _names(check) if name in self.secrets), "")
            if check.header and secret:
                headers[check.header.lower()] = f"{check.prefix}{secret}"
            if check.query and secret and f"{check.query}=" not in path:
                path += f"{'&' if '?' in path else '?'}{check.query}={quote(secret, safe='')}"
        return replace(message, headers=headers, path=path)

    def _stamped(self, message: Message, rule: object, now: datetime) -> Message:
        at = self._value(message, rule)
        raw = self._value(message, _unread(rule))
        if not isinstance(at, datetime) or not isinstance(raw, str | int):
            return message
        return replaced(message, str(raw), rewritten(str(raw), at, now) or str(raw))

    def _resigned(self, message: Message, shown: object, made: object) -> Message:
        old, new = self._value(message, shown), self._value(message, made)
        return replaced(message, old, new) if isinstance(old, str) and isinstance(new, str) else message

    def _value(self, message: Message, rule: object) -> Any:  # noqa: ANN401
        """What a rule of the door gives for the message; None where it gives nothing."""
        try:
            get, context = self._compiled(rule)
            entrance = self.system.entrances[message.door]
            whole = entrance.shape(message)
            return get(beside(whole, Around(message, whole, entrance.pattern).members(frozenset(context))))
        except (HubError, KeyError):
            return None

    def _compiled(self, rule: object) -> tuple[Get, set[str]]:
        file = read_yaml(self.folder / "system.yaml", [], name="system.yaml")
        assert file is not None  # it was loaded
        scope = Scope(
            file=file, findings=[], names=ANYTHING, tables={}, zone=self.system.zone, secrets=self.secrets,
            functions=functions_of(self.system.zone, MappingProxyType({}), MappingProxyType({})), folder=self.folder,
        )  # fmt: skip
        return compile_rule(rule, scope, ("doors",)), scope.context


def checks_of(given: Authenticate | tuple[Authenticate, ...] | None) -> tuple[Authenticate, ...]:
    """All checks of a door, however they are declared."""
    return (given,) if isinstance(given, Authenticate) else given or ()


def replaced(message: Message, old: str, new: str) -> Message:
    """One text for another, wherever it stands: body, headers, path; also as a form or a query writes it."""
    if not old or old == new:
        return message
    body, headers, path = message.body, dict(message.headers), message.path
    for was, now in _written(old, new):
        body = body.replace(was.encode(), now.encode())
        headers = {name: value.replace(was, now) for name, value in headers.items()}
        path = path.replace(was, quote(now, safe="%"))
    return replace(message, body=body, headers=headers, path=path)


def _written(old: str, new: str) -> Iterator[tuple[str, str]]:
    yield old, new
    if quote(old, safe="") != old:
        yield quote(old, safe=""), quote(new, safe="")


def _names(check: Authenticate) -> tuple[str, ...]:
    return (check.secret,) if isinstance(check.secret, str) else check.secret or ()


def _unread(rule: object) -> object:
    """A rule for a moment, without its reading as one: the text that stands in the message."""
    return {key: value for key, value in rule.items() if key != "time"} if isinstance(rule, dict) else rule
