"""SOAP, contract first: the envelope is built by zeep from the partner's WSDL; the answer comes back as it is.

A message for SOAP has the path `/url/path#Operation` and a JSON object of the arguments, in order, as its body; its
member `$headers` holds the blocks of the envelope's header, each as an XML text.
"""

import re
import ssl
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import unquote, urljoin, urlsplit
from uuid import UUID

import orjson
import zeep.exceptions
from lxml import etree
from zeep import Settings
from zeep.wsdl import Document
from zeep.wsdl.bindings.soap import Soap11Binding, Soap12Binding

from canonical.errors import ContractViolation, Misconfigured, Unavailable
from canonical.message import Message
from connectors.credentials import Credentials
from connectors.http import MAX_ANSWER, HttpConnector
from connectors.service_description import Library, changes, pieces
from connectors.soap_arguments import fitted, misfits
from connectors.soap_encoded import ENCODING, SCHEMA, encoded

# What is imported comes through _LocalFiles, which has no network: zeep itself need not forbid it.
_SETTINGS = Settings(strict=True, forbid_dtd=True, forbid_entities=True, forbid_external=False, xml_huge_tree=False)

HEADERS = "$headers"
"""Member of the arguments that is none."""
_BINDINGS: Mapping[str, type] = {"1.1": Soap11Binding, "1.2": Soap12Binding}
_SOAP_IN_WSDL = "http://schemas.xmlsoap.org/wsdl/soap/"
_OK, _SERVER = 200, 500
_LONGEST = 200
_MOVED = frozenset({301, 302, 303, 307, 308})

_Operations = Mapping[str, Any]
"""zeep's operations by name; zeep's own types are too few to name here."""


class SoapConnector:
    """Speaks SOAP to one system. `wsdls`: URL path to the WSDL of the service that lies there.

    `version`: 1.1 or 1.2; empty: 1.1 where the WSDL has it. Raises Misconfigured when a WSDL cannot be read. Safe to
    share between threads.
    """

    def __init__(
        self,
        base_url: str,
        wsdls: Mapping[str, Path],
        *,
        timeout: float,
        ids: Callable[[], UUID],
        now: Callable[[], datetime],
        verify: bool | ssl.SSLContext = True,
        credentials: Credentials | None = None,
        max_answer: int = MAX_ANSWER,
        version: str = "",
        prefix: str = "",
    ) -> None:
        self._prefix = prefix.encode()
        self._services = {path: _operations(wsdl, version) for path, wsdl in wsdls.items()}
        self._encoded = {path: _encoded_ones(wsdl) for path, wsdl in wsdls.items()}
        self._wsdls = dict(wsdls)
        self._ids, self._now, self._base_url = ids, now, base_url
        self._http = HttpConnector(
            base_url, timeout=timeout, ids=ids, now=now, verify=verify, credentials=credentials, max_answer=max_answer
        )

    def seal(self, message: Message) -> Message:
        """The envelope for the arguments. Raises ContractViolation when they do not fit the WSDL."""
        path, _, operation = message.path.partition("#")
        known = self._services.get(path, {}).get(operation)
        if known is None:
            raise ContractViolation(f"{message.system}: no WSDL has operation '{operation}' at '{path}'", at="path")
        encoding = operation in self._encoded[path]
        envelope, headers = _envelope(known, _arguments(message), encoding=encoding)
        if self._prefix:
            envelope = _renamed(envelope, self._prefix)
        action, sent = headers["SOAPAction"], dict(message.headers)
        if type(known.binding) is Soap12Binding:  # there the action is a part of the content type
            kind = f"application/soap+xml; charset=utf-8; action={action}"
        else:
            kind, sent["soapaction"] = "text/xml; charset=utf-8", action
        return replace(message, body=envelope, path=path, headers=MappingProxyType(sent), content_type=kind)

    def send(self, message: Message) -> Message:
        """Post a sealed message; the answer is the raw envelope, a fault with status 500 too. Raises as HTTP does."""
        return self._http.send(message)

    async def exchange(self, message: Message) -> Message:
        """The same on an event loop."""
        return await self._http.exchange(message)

    def operations(self, path: str) -> list[str]:
        """Names of the operations at a path."""
        return sorted(self._services.get(path, {}))

    def review(
        self, path: str, operation: str, tree: object, *, leaf: Callable[[object], bool], sealed: Collection[str] = ()
    ) -> list[tuple[tuple[str | int, ...], str]]:  # fmt: skip
        """What of a tree of arguments does not fit by its names: place and words. `leaf`: what is not looked into.

        `sealed`: arguments that are added to the tree afterwards.
        """
        body = self._services[path][operation].input.body
        return list(misfits(body, tree, leaf, sealed)) if body is not None else []

    def drift(self) -> str:
        """What of our WSDLs the other side does not promise (any more), in words for people; empty when all stands.

        Raises Unavailable and InDoubt when it cannot be asked now.
        """
        return "; ".join(filter(None, (self._drift(path, wsdl) for path, wsdl in self._wsdls.items())))

    def _drift(self, path: str, wsdl: Path) -> str:
        folder = _LocalFiles(wsdl.resolve().parent)
        ours = Library(wsdl.name, lambda _at, stated: stated, folder.beside)
        theirs = Library(f"{path}?wsdl", self._place, self._served)
        try:
            told = changes(pieces(wsdl.read_bytes(), ours), pieces(self._served(theirs.at), theirs))
        except ContractViolation as error:
            told = str(error)
        return f"{path}: {told}" if told else ""

    def _served(self, place: str) -> bytes:
        """A document of the other side. Raises ContractViolation when it serves another thing, Unavailable, InDoubt."""
        asked = Message(system="", body=b"", at=self._now(), id=self._ids(), door="wsdl", method="GET", path=place)
        answer = self._http.send(asked)
        what = "the WSDL" if place.lower().endswith("?wsdl") else place
        if answer.status >= _SERVER:
            raise Unavailable(f"HTTP {answer.status} instead of {what}")
        if answer.status != _OK:
            moved = answer.headers.get("location", "elsewhere").partition("?")[0][:_LONGEST]
            led = f" (it has moved to {moved})" if answer.status in _MOVED else ""
            raise ContractViolation(f"HTTP {answer.status} instead of {what}{led}")
        return answer.body

    def _place(self, at: str, stated: str) -> str:
        """Where a document lies for us: hosts in WSDLs are often names of the other side's own network."""
        base = urlsplit(self._base_url)
        parts = urlsplit(urljoin(f"{base.path}{at}", stated))
        path = parts.path.removeprefix(base.path)
        return f"{path}?{parts.query}" if parts.query else path

    def close(self) -> None:
        """Give back connections. Harmless twice."""
        self._http.close()


class _LocalFiles:
    """What zeep loads a WSDL through: files of its folder, never the network.

    Platforms state imports by the address they were had at, `http://host/service?xsd=types.xsd`: the file of that name.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, url: str) -> bytes:
        if url in _KNOWN:
            return _KNOWN[url]
        parts = urlsplit(url)
        file = Path(unquote(parts.path))
        if parts.scheme in {"", "file"} and not parts.netloc and file.is_file():
            return file.read_bytes()
        return self.beside(url)

    def beside(self, url: str) -> bytes:
        """The file of that name. Raises Misconfigured."""
        parts = urlsplit(url)
        names = [Path(unquote(parts.query.rpartition("=")[2] or parts.path)).name, Path(unquote(parts.path)).name]
        found = next((self._folder / name for name in names if name and (self._folder / name).is_file()), None)
        if found is None:
            raise Misconfigured(f"{names[0]} is imported, and does not lie beside the WSDL in contract/: fetch it")
        return found.read_bytes()


_KNOWN: Mapping[str, bytes] = {
    ENCODING: SCHEMA,
    "https://www.w3.org/2001/xml.xsd": (
        b'<schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="http://www.w3.org/XML/1998/namespace">'
        b'<attribute name="lang" type="language"/><attribute name="space" type="NCName"/></schema>'
    ),
}
"""Schemas that WSDLs take for granted."""


_TAG = re.compile(rb"<[^<>]*>")
_ENVELOPE = re.compile(rb"<([\w.-]+):Envelope")


def _renamed(envelope: bytes, prefix: bytes) -> bytes:
    """The envelope with another prefix for its own elements; nothing outside of tags is touched."""
    found = _ENVELOPE.search(envelope)
    if found is None:
        return envelope
    name = re.compile(rb"(?<=[</\s:\"])" + re.escape(found[1]) + rb"(?=[:=])")
    return _TAG.sub(lambda tag: name.sub(prefix, tag[0]), envelope)


def _operations(wsdl: Path, version: str) -> _Operations:
    try:
        document: Any = Document(
            str(wsdl.resolve()), cast("Any", _LocalFiles(wsdl.resolve().parent)), settings=_SETTINGS
        )
    except (OSError, ValueError, LookupError, zeep.exceptions.Error, etree.LxmlError) as error:
        raise Misconfigured(f"{wsdl.name} is not a WSDL that can be used: {error}") from error
    for kind in [_BINDINGS[version]] if version else _BINDINGS.values():
        bindings: list[Any] = [binding for binding in document.bindings.values() if type(binding) is kind]
        found = {name: operation for binding in bindings for name, operation in binding.all().items()}
        if found:
            return found
    raise Misconfigured(f"{wsdl.name} has no SOAP {version or '1.1 or 1.2'} operation")


def _encoded_ones(wsdl: Path) -> frozenset[str]:
    """Names of its rpc/encoded operations: zeep forgets how a body is to be written."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    bodies = etree.parse(str(wsdl), parser).iter(f"{{{_SOAP_IN_WSDL}}}body")
    spoken = [body for body in bodies if body.get("use") == "encoded"]
    parents = [parent for body in spoken for parent in body.iterancestors("{*}operation")]
    return frozenset(parent.get("name", "") for parent in parents)


def _arguments(message: Message) -> dict[str, Any]:
    try:
        arguments = orjson.loads(message.body)
    except orjson.JSONDecodeError:
        arguments = None
    if not isinstance(arguments, dict):
        raise ContractViolation(f"{message.system}: the arguments are not a JSON object", at="body")
    return arguments


def _blocks(texts: object) -> list[etree._Element]:
    """The header blocks as elements; our own adapter wrote them."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    return [etree.fromstring(str(text), parser) for text in texts] if isinstance(texts, list) else []


def _envelope(
    operation: Any, given: Mapping[str, Any], *, encoding: bool  # noqa: ANN401
) -> tuple[bytes, Mapping[str, str]]:  # fmt: skip
    arguments = {name: value for name, value in given.items() if name != HEADERS}
    blocks = _blocks(given.get(HEADERS))
    body = operation.input.body
    try:
        ready = fitted(body, arguments) if body is not None else {}
        if encoding:
            content, action = encoded(body, ready, blocks), f'"{operation.soapaction or ""}"'
            return etree.tostring(content, xml_declaration=True, encoding="utf-8"), {"SOAPAction": action}
        made = operation.create(**ready, **({"_soapheaders": blocks} if blocks else {}))
    except ContractViolation as error:
        raise ContractViolation(f"{operation.name}: the arguments do not fit the WSDL: {error}", at=error.at) from None
    except (TypeError, ValueError, LookupError, zeep.exceptions.Error):
        names = ", ".join(sorted(arguments))  # names only: the values are citizens' data
        raise ContractViolation(f"{operation.name}: the arguments do not fit the WSDL: {names}", at="body") from None
    return etree.tostring(made.content, xml_declaration=True, encoding="utf-8"), made.headers
