"""SOAP 1.1, contract first: the envelope is built by zeep from the partner's WSDL; the answer comes back as it is.

A message for SOAP has the path `/url/path#Operation` and a JSON object of the arguments, in order, as its body.
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import unquote, urlsplit
from uuid import UUID

import orjson
import zeep.exceptions
from lxml import etree
from zeep import Settings
from zeep.wsdl import Document
from zeep.wsdl.bindings.soap import Soap11Binding

from canonical.errors import ContractViolation, Misconfigured
from canonical.message import Message
from connectors.credentials import Credentials
from connectors.http import MAX_ANSWER, HttpConnector

_SETTINGS = Settings(strict=True, forbid_dtd=True, forbid_entities=True, forbid_external=True, xml_huge_tree=False)

_Operations = Mapping[str, Any]
"""zeep's operations by name; zeep's own types are too few to name here."""


class SoapConnector:
    """Speaks SOAP 1.1 to one system. `wsdls`: URL path to the WSDL of the service that lies there.

    Raises Misconfigured when a WSDL cannot be read. Safe to share between threads.
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
    ) -> None:
        self._services = {path: _operations(wsdl) for path, wsdl in wsdls.items()}
        self._http = HttpConnector(
            base_url, timeout=timeout, ids=ids, now=now, verify=verify, credentials=credentials, max_answer=max_answer
        )

    def seal(self, message: Message) -> Message:
        """The envelope for the arguments. Raises ContractViolation when they do not fit the WSDL."""
        path, _, operation = message.path.partition("#")
        known = self._services.get(path, {}).get(operation)
        if known is None:
            raise ContractViolation(f"{message.system}: no WSDL has operation '{operation}' at '{path}'", at="path")
        envelope, headers = _envelope(known, _arguments(message))
        sent = {**message.headers, "soapaction": headers["SOAPAction"]}
        return replace(
            message, body=envelope, path=path, headers=MappingProxyType(sent), content_type="text/xml; charset=utf-8"
        )

    def send(self, message: Message) -> Message:
        """Post a sealed message; the answer is the raw envelope, a fault with status 500 too. Raises as HTTP does."""
        return self._http.send(message)

    def close(self) -> None:
        """Give back connections. Harmless twice."""
        self._http.close()


class _LocalFiles:
    """What zeep loads a WSDL through: files only, never the network."""

    def load(self, url: str) -> bytes:
        parts = urlsplit(url)
        if parts.scheme not in {"", "file"} or parts.netloc:
            raise Misconfigured(f"a WSDL may not draw on the network: {url}")
        return Path(unquote(parts.path)).read_bytes()


def _operations(wsdl: Path) -> _Operations:
    try:
        document: Any = Document(str(wsdl.resolve()), cast("Any", _LocalFiles()), settings=_SETTINGS)
    except (OSError, ValueError, zeep.exceptions.Error, etree.LxmlError) as error:
        raise Misconfigured(f"{wsdl.name} is not a WSDL that can be used: {error}") from error
    bindings: list[Any] = [binding for binding in document.bindings.values() if type(binding) is Soap11Binding]
    found = {name: operation for binding in bindings for name, operation in binding.all().items()}
    if not found:
        raise Misconfigured(f"{wsdl.name} has no SOAP 1.1 operation")
    return found


def _arguments(message: Message) -> dict[str, Any]:
    try:
        arguments = orjson.loads(message.body)
    except orjson.JSONDecodeError:
        arguments = None
    if not isinstance(arguments, dict):
        raise ContractViolation(f"{message.system}: the arguments are not a JSON object", at="body")
    return arguments


def _envelope(operation: Any, arguments: Mapping[str, Any]) -> tuple[bytes, Mapping[str, str]]:  # noqa: ANN401
    try:
        made = operation.create(**arguments)
    except (TypeError, ValueError, zeep.exceptions.Error):
        names = ", ".join(sorted(arguments))  # names only: the values are citizens' data
        raise ContractViolation(f"{operation.name}: the arguments do not fit the WSDL: {names}", at="body") from None
    return etree.tostring(made.content, xml_declaration=True, encoding="utf-8"), made.headers
