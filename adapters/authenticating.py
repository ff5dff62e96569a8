"""How the other side shows who it is: a secret, HTTP Basic, a signature computed again, a time stamp that is fresh."""

import base64
import binascii
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from adapters.asymmetric import holds
from adapters.check_declaration import Authenticate, SignatureCheck, Verify
from adapters.packed import from_base64
from adapters.path import Get
from adapters.rule import compile_rule
from adapters.rule_step import as_bytes
from adapters.scope import Scope
from adapters.signing import constant_time_equal, within
from adapters.value import as_text
from adapters.yaml_file import Where
from canonical.errors import HubError, Unacceptable, Why

Check = Callable[[Any, datetime], bool]
"""The whole document with what stands around it, and the moment of receipt, to whether the check holds."""


def compile_checks(
    declared: Authenticate | Sequence[Authenticate] | None, scope: Scope, where: Where
) -> tuple[Check, ...]:  # fmt: skip
    """All declared checks; what is wrong is added to the scope's findings, what they need to its context."""
    given = (declared,) if isinstance(declared, Authenticate) else declared or ()
    checks: list[Check] = []
    for index, one in enumerate(given):
        place = where if isinstance(declared, Authenticate) else (*where, index)
        found = [make(one, scope, place) for key, make in _MAKERS.items() if getattr(one, key) is not None]
        if not found:
            scope.wrong(place, "secret, basic, signature or fresh is expected")
        checks += found
    return tuple(checks)


def authenticate(checks: Sequence[Check], known: object, at: datetime) -> None:
    """Raise Unacceptable (unauthenticated) unless every check holds. Says nothing about which one or why."""
    for check in checks:
        try:
            holds = check(known, at)
        except HubError:  # what cannot even be computed was not signed by who knows the secret
            holds = False
        if not holds:
            raise Unacceptable("the secret or signature shown is not the agreed one", why=Why.UNAUTHENTICATED)


def given_secret(names: str | tuple[str, ...], scope: Scope, where: Where) -> str:
    """The first of some secrets that is given; it must be."""
    wanted = (names,) if isinstance(names, str) else names
    unknown = [name for name in wanted if name not in scope.secrets]
    for name in unknown:
        scope.wrong(where, f"'{name}' is no declared secret; add it under secrets")
    given = next((value for name in wanted if (value := scope.secrets.get(name))), "")
    if not given and not unknown:
        scope.wrong(where, f"no secret is given: {' or '.join(wanted)}")
    return given


def _shown(declared: Authenticate, scope: Scope, where: Where) -> Get:
    places = [
        path
        for path in (
            declared.from_,
            f"$headers.{declared.header.lower()}" if declared.header else None,
            f"$query.{declared.query}" if declared.query else None,
        )
        if path
    ]
    if len(places) != 1:
        scope.wrong(where, "one of from (a path), header or query is expected")
    return scope.path(places[0] if places else ".", where)


def _secret(declared: Authenticate, scope: Scope, where: Where) -> Check:
    assert declared.secret is not None
    shown, prefix = _shown(declared, scope, where), declared.prefix
    secret = given_secret(declared.secret, scope, (*where, "secret")).encode()

    def check(known: object, _at: datetime) -> bool:
        given = shown(known)
        if not isinstance(given, str | int) or isinstance(given, bool):
            return False
        text = as_text(given)
        if not text.startswith(prefix):
            return False
        return hmac.compare_digest(text.removeprefix(prefix).encode("utf-8", "replace"), secret)

    return check


def _basic(declared: Authenticate, scope: Scope, where: Where) -> Check:
    assert declared.basic is not None
    name = given_secret(declared.basic.username, scope, (*where, "basic", "username"))
    word = given_secret(declared.basic.password, scope, (*where, "basic", "password"))
    wanted, header = f"{name}:{word}".encode(), scope.path("$headers.authorization", where)

    def check(known: object, _at: datetime) -> bool:
        scheme, _, text = as_text(header(known) or "").partition(" ")
        try:
            given = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            return False
        return scheme.lower() == "basic" and hmac.compare_digest(given, wanted)

    return check


def _signature(declared: Authenticate, scope: Scope, where: Where) -> Check:
    assert declared.signature is not None
    return compile_signature(declared.signature, scope, (*where, "signature"))


def compile_signature(signature: SignatureCheck, scope: Scope, where: Where) -> Check:
    """One comparison; what is wrong is added to the scope's findings."""
    shown = compile_rule(signature.shown, scope, (*where, "shown"))
    made = compile_rule(signature.of, scope, (*where, "of"))
    if signature.verify is not None:
        return _verified(signature.verify, shown, made, scope, where)

    def check(known: object, _at: datetime) -> bool:
        given, wanted = shown(known), made(known)
        if not isinstance(given, str) or not isinstance(wanted, str) or not wanted:
            return False
        return constant_time_equal(given.strip(), wanted, fold=signature.fold)

    return check


def _verified(declared: Verify, shown: Get, text: Get, scope: Scope, where: Where) -> Check:
    key = given_secret(declared.key, scope, (*where, "verify", "key"))
    read = from_base64 if declared.output == "base64" else bytes.fromhex

    def check(known: object, _at: datetime) -> bool:
        given, signed = shown(known), text(known)
        if not isinstance(given, str) or signed is None:
            return False
        try:
            return holds(read(given.strip()), as_bytes(signed), key, declared.algorithm)
        except ValueError:
            return False

    return check


def _fresh(declared: Authenticate, scope: Scope, where: Where) -> Check:
    assert declared.fresh is not None
    seconds, stamp = declared.fresh.seconds, compile_rule(declared.fresh.at, scope, (*where, "fresh", "at"))

    def check(known: object, at: datetime) -> bool:
        given = stamp(known)
        return isinstance(given, datetime) and within(given, at, seconds)

    return check


_MAKERS: dict[str, Callable[[Authenticate, Scope, Where], Check]] = {
    "secret": _secret, "basic": _basic, "signature": _signature, "fresh": _fresh,
}  # fmt: skip
