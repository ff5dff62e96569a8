"""Signing in through another provider: OpenID Connect 1.0, authorization code with PKCE (RFC 7636).

Its tokens are read once and thrown away: from then on the session is ours. Whoever answers back must be the browser
that asked.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gateway.hub import Hub
from gateway.people.file import GroupFile, ProviderFile
from gateway.refusal import Refusal
from storage.people import LIMITS, Change, LoginTaken, People, Person
from storage.sessions import Asked, Sessions

_TIMEOUT = 10.0
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""None of them symmetric, and never `none`."""
_LONGEST_LOGIN = 64
_LEEWAY = 60


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider as it was declared, and what it says of itself."""

    id: str
    told: ProviderFile
    document: dict[str, Any]

    def address(self, back: str, state: str, nonce: str, verifier: str) -> str:
        """Where a browser is sent. `back`: where the provider sends it afterwards."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code", "client_id": self.told.client_id, "redirect_uri": back, "scope": self.told.scopes,
            "state": state, "nonce": nonce, "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        return f"{httpx.URL(self.document['authorization_endpoint']).copy_merge_params(query)}"

    async def exchanged(self, code: str, back: str, verifier: str) -> dict[str, Any]:
        """The tokens for a code. Raises Refusal when it is not taken, or nobody answers."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        headers = {}
        if self.told.client_secret:  # RFC 6749, 2.3.1: both are encoded as in a form
            pair = f"{quote(self.told.client_id, safe='')}:{quote(self.told.client_secret, safe='')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form["client_id"] = self.told.client_id
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False) as client:
                answer = await client.post(self.document["token_endpoint"], data=form, headers=headers)
                found = answer.json()
        except (httpx.HTTPError, ValueError):
            raise _away(self.id) from None
        if not isinstance(found, dict) or "id_token" not in found:
            why = str(found.get("error", "no token"))[:80] if isinstance(found, dict) else "no token"
            raise Refusal(401, "provider", f"{self.id} did not let you in: {why}")
        return found


async def provider_of(hub: Hub, id_: str) -> Provider:
    """A declared provider. Raises Refusal: 404 when there is none, 503 when it does not answer."""
    told = hub.configuration.people.providers.get(id_)
    if told is None:
        raise Refusal(404, "unknown_provider", f"no provider {id_[:32]} is declared", "see GET /api/sign-in")
    document = await _fetched(f"{told.issuer.rstrip('/')}/.well-known/openid-configuration")
    if document.get("issuer") != told.issuer:
        raise Refusal(503, "provider", f"{id_} calls itself by another issuer than people.yaml does")
    return Provider(id_, told, document)


async def asked(hub: Hub, provider: Provider, back: str, then: str) -> tuple[str, str]:
    """Where to send the browser, and the state that it must come back with. `then`: where people go afterwards."""
    state, verifier, nonce = secrets.token_urlsafe(24), secrets.token_urlsafe(48), secrets.token_urlsafe(24)
    await Sessions(hub.store).ask(state, Asked(provider.id, verifier, nonce, then), hub.now())
    return provider.address(back, state, nonce, verifier), state


async def answered(hub: Hub, provider: Provider, back: str, code: str, asked: Asked) -> dict[str, Any]:
    """The claims of who came back with this code. Raises Refusal."""
    tokens = await provider.exchanged(code, back, asked.verifier)
    keys = KeySet.import_key_set(cast("Any", await _fetched(provider.document["jwks_uri"])))
    return _claims(hub, provider, str(tokens["id_token"]), keys, asked.nonce)


def _claims(hub: Hub, provider: Provider, token: str, keys: KeySet, nonce: str) -> dict[str, Any]:
    rules = jwt.JWTClaimsRegistry(
        now=int(hub.now().timestamp()), leeway=_LEEWAY,
        iss={"essential": True, "value": provider.told.issuer}, sub={"essential": True},
        aud={"essential": True, "value": provider.told.client_id}, exp={"essential": True},
        nonce={"essential": True, "value": nonce},
    )  # fmt: skip
    try:
        claims = jwt.decode(token, keys, algorithms=_ALGORITHMS).claims
        rules.validate(claims)
    except (JoseError, ValueError) as error:
        raise Refusal(401, "provider", f"{provider.id} sent a token that is not good: {type(error).__name__}") from None
    return claims


async def person_for(hub: Hub, provider: Provider, claims: dict[str, Any]) -> Person:
    """The account of who came: known by subject, waiting under this login, or made by a row. Raises Refusal."""
    people, told = People(hub.store), provider.told
    subject = f"{told.issuer} {claims['sub']}"
    login = str(claims.get(told.login, "")).strip().lower()[:_LONGEST_LOGIN]
    row = _row(told, claims)
    one = await people.by_subject(subject)
    if one is None and login:
        one = await _linked(people, login, subject, hub) or (
            await _made(people, login, subject, str(claims.get(told.name, "")), row, hub) if row else None
        )
    if one is None:
        raise Refusal(403, "no_account", "nobody has made an account for you here", "ask an administrator")
    if told.groups:
        one = await _kept(people, one, row, provider, hub)
    if one.disabled_at is not None:
        raise Refusal(403, "disabled", "the account is closed", "ask an administrator")
    return one


async def _linked(people: People, login: str, subject: str, hub: Hub) -> Person | None:
    """An account that was made for somebody of another provider: it has no password, and waits for its subject."""
    one = await people.by_login(login)
    if one is None or one.password or one.subject:
        return None
    await people.change(login, {"subject": subject}, Change.CHANGED, by="hub", at=hub.now(), text="linked")
    return await people.by_login(login)


async def _made(people: People, login: str, subject: str, name: str, row: GroupFile, hub: Hub) -> Person:
    limits = {limit: tuple(getattr(row, limit)) for limit in LIMITS}
    one = Person(hub.ids(), login, name[:64] or login, row.role, hub.now(), subject=subject, **limits)  # type: ignore[arg-type]
    try:
        await people.add(one, by="hub")
    except LoginTaken:
        raise Refusal(403, "login_taken", "another account has your login", "ask an administrator") from None
    return one


async def _kept(people: People, one: Person, row: GroupFile | None, provider: Provider, hub: Hub) -> Person:
    """The account as the provider's groups say today; who is in none of them any more is not let in."""
    if row is None:
        raise Refusal(403, "no_group", f"none of your groups at {provider.told.title} is let in here")
    given = {"role": row.role, **{limit: tuple(getattr(row, limit)) for limit in LIMITS}}
    if any(getattr(one, name) != value for name, value in given.items()):
        await people.change(one.login, given, Change.CHANGED, by="hub", at=hub.now(), text=f"group {row.group}")
    return await people.by_login(one.login) or one


def _row(told: ProviderFile, claims: dict[str, Any]) -> GroupFile | None:
    said = claims.get(told.claim, [])
    groups = {said} if isinstance(said, str) else {str(one) for one in said} if isinstance(said, list) else set()
    return next((row for row in told.groups if row.group in groups), None)


async def _fetched(url: str) -> dict[str, Any]:
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False) as client:
            answer = await client.get(url)
            answer.raise_for_status()
            found = answer.json()
    except (httpx.HTTPError, ValueError):
        raise _away(url.split("/")[2] if "//" in url else url) from None
    if not isinstance(found, dict):
        raise _away(url.split("/")[2])
    return found


def _away(name: str) -> Refusal:
    return Refusal(503, "provider", f"{name} does not answer", "try again, or sign in with a local account")
