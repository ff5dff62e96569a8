"""One GET to an upstream service: bounded in bytes and seconds, the token on its own host only, and in no error."""

import asyncio
import base64
import logging
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from urllib.parse import urlsplit

import httpx

from canonical.errors import Misconfigured
from connectors.ogc.document import MOST, exception_in, looks_like_html
from connectors.ogc.service import Service, TokenPlace, leads_to, origin_of

MOST_TILE = 4 * 1024 * 1024
"""Bytes of one picture."""
TIMEOUT = 30.0
"""Seconds for everything: name, connection, redirects, all bytes."""
_MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TOKEN_STATUSES = frozenset({401, 403, 407, 418})
"""418 is what Tianditu's gateway answers to a key it does not like."""
_TOKEN_WORDS = ("token", "密钥", "权限", "认证", "unauthor", "expired", "invalid key", "api key", "apikey")
_TOKEN_WORDS_IN_JSON = (*_TOKEN_WORDS, "key", "tk")
_PICTURES: Mapping[str, tuple[bytes, ...]] = {
    "image/png": (b"\x89PNG\r\n\x1a\n",), "image/jpeg": (b"\xff\xd8\xff",), "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
}  # fmt: skip
_CUT = 200


class Trouble(StrEnum):
    """Why a service does not give what it is asked for."""

    UNREACHABLE = "unreachable"
    """No whole answer came: no name, no connection, a hang-up, half an answer."""
    TOO_SLOW = "too_slow"
    """Nothing whole within the time limit."""
    CERTIFICATE = "certificate"
    """Its certificate is not to be trusted."""
    REDIRECT = "redirect"
    """It sends us to another host, which never gets the token."""
    TOO_LARGE = "too_large"
    """More bytes than are read."""
    TOKEN = "token"  # noqa: S105 a word for people
    """It does not accept the token, or no longer."""
    EXCEPTION = "exception"
    """It answers an OGC exception."""
    STATUS = "status"
    """It answers another HTTP status than 200."""
    CONTENT_TYPE = "content_type"
    """It answers something else than was asked for, such as an HTML page with status 200."""
    UNREADABLE = "unreadable"
    """Its capabilities cannot be read."""


class Failed(Exception):
    """It did not give what was asked for. The text never has the token in it."""

    def __init__(self, trouble: Trouble, text: str, *, status: int = 0) -> None:
        super().__init__(text)
        self.trouble, self.status = trouble, status


@dataclass(frozen=True, slots=True)
class Given:
    """A whole answer with status 200."""

    body: bytes
    content_type: str
    """Without parameters, in lower case."""


class Asker:
    """Asks one service. Keeps connections; belongs to one event loop; give it back with `close`.

    `ca`: file of the only authority to be trusted. Raises Misconfigured when that cannot be read.
    """

    def __init__(self, service: Service, *, ca: str = "", timeout: float = TIMEOUT, connections: int = 8) -> None:
        self.service, self._timeout = service, timeout
        self._secret = _written(service)
        for name in ("httpx", "httpcore"):  # they log whole addresses, and the token stands in them
            logging.getLogger(name).setLevel(logging.WARNING)
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=5)
        self._client = httpx.AsyncClient(
            follow_redirects=False, trust_env=False, verify=_trust(ca), limits=limits, timeout=timeout,
            headers={"user-agent": "gridhub", "accept-encoding": "gzip"},
        )  # fmt: skip

    async def close(self) -> None:
        """Give back connections."""
        await self._client.aclose()

    async def document(self, url: str) -> bytes:
        """An XML document. Raises Failed."""
        given = await self._get(url, MOST)
        if said := exception_in(given.body):
            raise self._exception(said)
        if looks_like_html(given.body):
            raise Failed(Trouble.CONTENT_TYPE, "an HTML page with status 200, not XML")
        self._refused_in_json(given)
        return given.body

    async def picture(self, url: str) -> Given:
        """A picture, known by its first bytes. Raises Failed."""
        given = await self._get(url, MOST_TILE)
        found = picture_type(given.body)
        if found:
            return Given(given.body, found)
        if said := exception_in(given.body):
            raise self._exception(said)
        self._refused_in_json(given)
        what = "an HTML page" if looks_like_html(given.body) else f"'{self.hidden(given.content_type)[:60]}'"
        raise Failed(Trouble.CONTENT_TYPE, f"{what} with status 200, not a picture")

    def hidden(self, text: str) -> str:
        """The text without the token, however an address or a page writes it."""
        return self._secret.sub("***", text) if self._secret else text

    async def _get(self, url: str, most: int) -> Given:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._followed(url, most)
        except (TimeoutError, httpx.TimeoutException):
            raise Failed(Trouble.TOO_SLOW, f"no whole answer within {self._timeout:g} s") from None
        except httpx.ConnectError as error:
            if _certificate(error):
                raise Failed(Trouble.CERTIFICATE, f"its certificate: {_certificate(error)}") from None
            raise Failed(Trouble.UNREACHABLE, "no connection") from None
        except httpx.DecodingError:
            raise Failed(Trouble.UNREACHABLE, "an answer that cannot be unpacked") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:  # or an address that is none
            raise Failed(Trouble.UNREACHABLE, f"no whole answer ({type(error).__name__})") from None

    async def _followed(self, url: str, most: int) -> Given:
        for _ in range(_MOST_REDIRECTS + 1):
            address, headers = self.service.signed(url)
            async with self._client.stream("GET", address, headers=headers) as response:
                location = response.headers.get("location", "")
                if response.status_code not in _REDIRECTS or not location:
                    return await self._whole(response, most)
            url = leads_to(url, location)
            if origin_of(url) != self.service.origin:
                scheme, host = origin_of(url)
                raise Failed(
                    Trouble.REDIRECT, f"it sends us to {scheme}://{self.hidden(host)[:100]}, which gets no token: "
                    "register that address if it is right",
                )  # fmt: skip
        raise Failed(Trouble.REDIRECT, "its redirects lead in circles")

    async def _whole(self, response: httpx.Response, most: int) -> Given:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > most:
                raise Failed(Trouble.TOO_LARGE, f"more than {most // 1048576} MB")
        status, kind = response.status_code, response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if status != httpx.codes.OK:
            raise self._status(status, bytes(body))
        return Given(bytes(body), kind)

    def _status(self, status: int, body: bytes) -> Failed:
        if status in _TOKEN_STATUSES:
            return Failed(Trouble.TOKEN, f"HTTP {status}: the token is missing, wrong or expired", status=status)
        if said := exception_in(body):
            return self._exception(f"HTTP {status}: {said}", status=status)
        return Failed(Trouble.STATUS, f"HTTP {status}", status=status)

    def _exception(self, said: str, *, status: int = 0) -> Failed:
        shown = self.hidden(said)[:_CUT]
        trouble = Trouble.TOKEN if any(word in said.lower() for word in _TOKEN_WORDS) else Trouble.EXCEPTION
        return Failed(trouble, shown, status=status)

    def _refused_in_json(self, given: Given) -> None:
        """Portals answer a wrong key with status 200 and a line of JSON."""
        if not given.body.lstrip().startswith(b"{"):
            return
        said = self.hidden(" ".join(given.body[:2000].decode("utf-8", "replace").split()))[:_CUT]
        if any(word in said.lower() for word in _TOKEN_WORDS_IN_JSON):
            raise Failed(Trouble.TOKEN, said)
        raise Failed(Trouble.CONTENT_TYPE, f"JSON with status 200: {said}")


def picture_type(body: bytes) -> str:
    """The media type that the first bytes tell; empty: no picture."""
    return next((kind for kind, marks in _PICTURES.items() if body.startswith(marks)), "")


def checked(url: str) -> None:
    """Raises Misconfigured for what cannot be the address of a service."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 80) < 65536
    except ValueError:
        good = False
    if not good:
        raise Misconfigured("an address must look like https://host/path")
    if parts.username or parts.password:
        raise Misconfigured("the address has a password in it: give it as token, with token_in: basic")


def _written(service: Service) -> re.Pattern[str] | None:
    """Every way to write the token: plain, or any of its characters as in addresses or in HTML."""
    token = service.token
    parts = [token, *(token.partition(":")[2:] if service.token_in is TokenPlace.BASIC else ())]
    coded = base64.b64encode(token.encode()).decode() if service.token_in is TokenPlace.BASIC else ""
    forms = ["".join(map(_character, part)) for part in (*parts, coded) if part]
    return re.compile("|".join(forms)) if forms else None


def _character(sign: str) -> str:
    percent = "".join(f"(?:%{byte:02x}|%{byte:02X})" for byte in sign.encode())
    return f"(?:{re.escape(sign)}|{percent}|{re.escape(escape(sign))}|&#{ord(sign)};)"


def _trust(ca: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca) if ca else httpx.create_ssl_context(trust_env=False)
    except (OSError, ssl.SSLError):
        raise Misconfigured(f"ca: {ca} cannot be read as certificates in PEM form") from None


def _certificate(error: BaseException) -> str:
    """What is wrong with a certificate; empty where that is not the trouble."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return str(seen.verify_message)[:_CUT]
        if isinstance(seen, ssl.SSLError):
            return f"no TLS ({seen.reason or 'broken off'})"
        seen = seen.__cause__ or seen.__context__
    return ""


__all__ = ["Asker", "Failed", "Given", "Trouble", "checked", "picture_type"]
