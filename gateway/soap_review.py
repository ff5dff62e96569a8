"""Whether what a folder writes fits the WSDLs in it: found by `gridhub check`, not by the first message in service."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from adapters import System
from adapters.explain import near
from adapters.rule import is_rule
from adapters.samples import outbound_samples, written
from adapters.yaml_file import read_yaml
from canonical.errors import ContractViolation, HubError, Misconfigured
from canonical.findings import Finding
from gateway.hub import clock, fresh_id
from gateway.reading import bare

if TYPE_CHECKING:
    from connectors.soap import SoapConnector

_NOWHERE = "http://127.0.0.1:9"
"""Nothing is sent."""


def soap_findings(folder: Path) -> list[Finding]:
    """What does not fit. Empty for a folder that speaks no SOAP, or that cannot be loaded: others say why."""
    try:
        system = bare(folder)
    except Misconfigured:
        return []
    if system.connector.protocol != "soap":
        return []
    found = [one for path, wsdl in system.connector.wsdls.items() for one in _usable(path, wsdl, system, folder)]
    if found:
        return found
    connector = _connector(system)
    try:
        found = [one for name in system.writers for one in _message(name, system, connector, folder)]
        return found or list(_samples(system, connector, folder))
    finally:
        connector.close()


def _connector(system: System) -> "SoapConnector":
    from connectors.soap import SoapConnector

    facts = system.connector
    return SoapConnector(_NOWHERE, facts.wsdls, timeout=1, ids=fresh_id, now=clock, version=facts.soap)


def _usable(path: str, wsdl: Path, system: System, folder: Path) -> Iterator[Finding]:
    facts = replace(system.connector, wsdls={path: wsdl})
    try:
        _connector(replace(system, connector=facts)).close()
    except Misconfigured as error:
        yield _at(folder, "system.yaml", ("connector", "wsdl", path), str(error))


def _message(name: str, system: System, connector: "SoapConnector", folder: Path) -> Iterator[Finding]:
    """Its operation, and the names of its arguments as deep as they are written out."""
    plan, file = system.writers[name][0], f"messages/{name}.yaml"
    declared, wsdls = plan.declared, system.connector.wsdls
    if not isinstance(declared.path, str) or declared.format != "arguments":
        return
    path, _, operation = declared.path.partition("#")
    known = connector.operations(path)
    if path not in wsdls:
        yield _at(folder, file, ("path",), f"no WSDL is declared for '{path}'{near(path, wsdls)}")
        return
    if operation not in known:
        text = f"contract/{wsdls[path].name} has no operation '{operation}'{near(operation, known)}"
        yield _at(folder, file, ("path",), text)
        return
    for where, text in connector.review(path, operation, declared.body, leaf=is_rule, sealed=tuple(plan.seal)):
        yield _at(folder, file, ("body", *where), text)


def _samples(system: System, connector: "SoapConnector", folder: Path) -> Iterator[Finding]:
    import json

    for sample in outbound_samples(folder):
        try:
            connector.seal(written(system, json.loads(sample.read_text(encoding="utf-8"))))
        except ContractViolation as error:
            yield Finding(f"samples/{sample.name}", 0, error.at, str(error))
        except (HubError, ValueError, KeyError):  # the check of samples says so
            continue


def _at(folder: Path, file: str, where: tuple[str | int, ...], text: str) -> Finding:
    read = read_yaml(folder / file, [], name=file)
    return read.finding(where, text) if read else Finding(file, 0, ".".join(map(str, where)), text)
