"""From a folder to a System: every file is read and compiled, and everything wrong is found at once.

A folder with a `system.yaml` is a system. There is no registry: `shipped` looks at the folders beside this module, a
city's own folders are loaded by the same code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lxml import etree
from pydantic import BaseModel, ValidationError

from adapters.answer import AnswerPlan, compile_answer
from adapters.code_table import CodeTable, read_code_table
from adapters.contract import ANYTHING, Contract, read_contract
from adapters.declaration import DoorDeclaration, InboundDeclaration, OutboundDeclaration, SystemDeclaration
from adapters.door import Door, Entrance, ReplyPlans, compile_entrance, compile_reply, entrance_of_items
from adapters.explain import near, report_invalid
from adapters.inbound import InboundPlan, compile_inbound
from adapters.outbound import OutboundFacts, OutboundPlan, compile_outbound
from adapters.rule import Scope, path_getter
from adapters.system import ConnectorFacts, Pull, PullPlan, SignInPlan, System
from adapters.yaml_file import Where, YamlFile, read_yaml
from canonical.errors import Misconfigured
from canonical.findings import Finding
from canonical.reading import SystemRole

SYSTEM_FILE = "system.yaml"
_UNCHECKED = "-"
"""Stands for every secret while a folder is only checked."""
_M = TypeVar("_M", bound=BaseModel)


def shipped() -> dict[str, Path]:
    """Name to folder of every system that comes with the hub."""
    return {path.parent.name: path.parent for path in sorted(Path(__file__).parent.glob(f"*/{SYSTEM_FILE}"))}


def check(folder: Path) -> list[Finding]:
    """Everything wrong with a folder, sorted by file and line. Secrets are taken as given."""
    return _load(folder, None)[1]


def load(folder: Path, secrets: Mapping[str, str], *, name: str = "") -> System:
    """The system of a folder, under the city's `name` for it (default: the folder's).

    Raises Misconfigured that lists every finding.
    """
    system, findings = _load(folder, secrets)
    if system is None or findings:
        listed = "\n".join(f"  {finding}" for finding in findings)
        raise Misconfigured(f"{folder.name}: {len(findings)} findings\n{listed}")
    return system.named(name) if name and name != system.role.id else system


def _load(folder: Path, secrets: Mapping[str, str] | None) -> tuple[System | None, list[Finding]]:
    findings: list[Finding] = []
    file = read_yaml(folder / SYSTEM_FILE, findings, name=SYSTEM_FILE)
    declared = _validated(file, SystemDeclaration, findings) if file else None
    system = _Loader(folder, file, declared, findings, secrets).system() if file and declared else None
    return system, sorted(set(findings))


def _validated(file: YamlFile, model: type[_M], findings: list[Finding]) -> _M | None:
    try:
        return model.model_validate(file.data)
    except ValidationError as error:
        report_invalid(error, file, findings, (), model)
        return None


@dataclass(frozen=True, slots=True)
class _Loader:
    """The parts of one folder while they are put together."""

    folder: Path
    file: YamlFile
    declared: SystemDeclaration
    findings: list[Finding]
    given: Mapping[str, str] | None

    def system(self) -> System | None:
        declared, scope = self.declared, self._scope()
        inbound, outbound = self._messages(scope)
        answers = {
            name: compile_answer(answer, scope, ("answers", name), declared.charset)
            for name, answer in declared.answers.items()
        }
        entrances, replies, doors = self._doors(scope, inbound)
        pulls = self._pulls(outbound, answers, scope)
        entrances |= self._pulled(inbound)
        writers = {
            name: (plan, answers[plan.declared.answer])
            for name, plan in outbound.items()
            if self._known(plan.declared.answer, answers, "answer", plan.name) and plan.declared.direction == "out"
        }
        self._tells(outbound)
        signing_in = self._sign_in(outbound, answers)
        if self.findings:
            return None
        return System(
            role=self._role(),
            doors=doors,
            pulls=tuple(plan.facts for plan in pulls.values()),
            connector=self._connector(),
            outbound=MappingProxyType(
                {name: OutboundFacts(plan.declared.repeat, plan.declared.title) for name, (plan, _) in writers.items()}
            ),
            secrets=tuple(declared.secrets),
            entrances=MappingProxyType(entrances),
            replies=MappingProxyType(replies),
            writers=MappingProxyType(writers),
            pull_plans=MappingProxyType(pulls),
            signing_in=signing_in,
        )

    def _wrong(self, where: Where, text: str) -> None:
        self.findings.append(self.file.finding(where, text))

    def _known(self, name: str, known: Mapping[str, Any], kind: str, *where: str) -> bool:
        if name in known:
            return True
        self._wrong(where, f"no {kind} '{name}'" + near(name, known))
        return False

    def _scope(self) -> Scope:
        return Scope(
            file=self.file,
            findings=self.findings,
            names=ANYTHING,
            tables=self._tables(),
            zone=self._zone(),
            secrets=self._secrets(),
        )

    def _zone(self) -> ZoneInfo:
        try:
            "".encode(self.declared.charset)
        except LookupError:
            self._wrong(("charset",), f"no charset '{self.declared.charset}'; write utf-8 or gb18030")
        try:
            return ZoneInfo(self.declared.zone)
        except (ZoneInfoNotFoundError, ValueError):
            self._wrong(("zone",), f"no time zone '{self.declared.zone}'; write Asia/Shanghai")
            return ZoneInfo("Asia/Shanghai")

    def _tables(self) -> dict[str, CodeTable]:
        tables = {}
        for path in sorted(self.folder.glob("codes/*.csv")):
            table = read_code_table(path, self.findings, name=f"codes/{path.name}")
            if table is not None:
                tables[path.stem] = table
        return tables

    def _secrets(self) -> dict[str, str | None]:
        declared = self.declared
        if self.given is None:
            return dict.fromkeys(declared.secrets, _UNCHECKED)
        given = {name: self.given.get(name) or None for name in declared.secrets}
        for name in sorted(set(self.given) - set(declared.secrets)):
            self._wrong(("secrets",), f"the secret '{name}' is given but not declared" + near(name, declared.secrets))
        for name, secret in declared.secrets.items():
            if given[name] is None and not secret.optional:
                self._wrong(("secrets", name), f"not given: {secret.title}")
        return given

    def _messages(self, scope: Scope) -> tuple[dict[str, InboundPlan], dict[str, OutboundPlan]]:
        inbound: dict[str, InboundPlan] = {}
        outbound: dict[str, OutboundPlan] = {}
        for path in sorted(self.folder.glob("messages/*.yaml")):
            file = read_yaml(path, self.findings, name=f"messages/{path.name}")
            if file is None:
                continue
            model = InboundDeclaration if file.data.get("direction") == "in" else OutboundDeclaration
            declared = _validated(file, model, self.findings)
            here = replace(scope, file=file)
            if isinstance(declared, InboundDeclaration):
                if contract := self._contract(declared.contract):
                    inbound[path.stem] = compile_inbound(path.stem, declared, contract, here, self.declared.crs)
            elif isinstance(declared, OutboundDeclaration):
                contract = self._contract(declared.contract) if declared.contract else None
                outbound[path.stem] = compile_outbound(
                    path.stem, declared, contract, here, self.declared.charset, self.folder.name
                )
        return inbound, outbound

    def _contract(self, name: str) -> Contract | None:
        return read_contract(self.folder / "contract" / name, self.findings, name=f"contract/{name}")

    def _doors(
        self, scope: Scope, inbound: Mapping[str, InboundPlan]
    ) -> tuple[dict[str, Entrance], dict[str, ReplyPlans], tuple[Door, ...]]:
        entrances, replies, doors = {}, {}, []
        for name, door in self.declared.doors.items():
            where: Where = ("doors", name)
            plans = self._plans(door.messages, inbound, "doors", name)
            entrances[name] = compile_entrance(door, plans, scope, where, self.declared.edition, self.declared.charset)
            replies[name] = compile_reply(door.reply, scope, (*where, "reply"), self.declared.charset)
            doors.append(self._door(name, door))
        return entrances, replies, tuple(doors)

    def _plans(self, names: tuple[str, ...], inbound: Mapping[str, InboundPlan], *where: str) -> list[InboundPlan]:
        return [inbound[name] for name in names if self._known(name, inbound, "inbound message", *where, "messages")]

    def _door(self, name: str, door: DoorDeclaration) -> Door:
        wsdl = self._wsdl(door.wsdl, "doors", name, "wsdl") if door.wsdl else None
        return Door(name, door.path, door.media, door.max_bytes, wsdl.read_bytes() if wsdl else None)

    def _wsdl(self, name: str, *where: str) -> Path | None:
        path = self.folder / "contract" / name
        try:
            etree.fromstring(path.read_bytes(), etree.XMLParser(resolve_entities=False, no_network=True))
        except (OSError, etree.XMLSyntaxError) as error:
            self._wrong(where, f"contract/{name} is no WSDL that can be read: {type(error).__name__}")
            return None
        return path

    def _pulls(
        self, outbound: Mapping[str, OutboundPlan], answers: Mapping[str, AnswerPlan], scope: Scope
    ) -> dict[str, PullPlan]:
        plans = {}
        for name, pull in self.declared.pulls.items():
            if name in self.declared.doors:
                self._wrong(("pulls", name), "a door has this name")
            if not self._known(pull.ask, outbound, "message", "pulls", name, "ask"):
                continue
            ask = outbound[pull.ask]
            if ask.declared.answer not in answers:
                self._known(ask.declared.answer, answers, "answer", "pulls", name, "ask")
                continue
            plans[name] = PullPlan(
                facts=Pull(name, pull.every, pull.overlap, pull.page_size, pull.first_page),
                ask=ask,
                answer=answers[ask.declared.answer],
                items=path_getter(pull.items),
                total=path_getter(pull.total) if pull.total else None,
            )
        return plans

    def _pulled(self, inbound: Mapping[str, InboundPlan]) -> dict[str, Entrance]:
        return {
            name: entrance_of_items(self._plans(pull.messages, inbound, "pulls", name), self.declared.edition)
            for name, pull in self.declared.pulls.items()
        }

    def _sign_in(self, outbound: Mapping[str, OutboundPlan], answers: Mapping[str, AnswerPlan]) -> SignInPlan | None:
        declared = self.declared.sign_in
        if declared is None or not self._known(declared.message, outbound, "message", "sign_in", "message"):
            return None
        if any(not self._secrets().get(name) for name in declared.secrets):
            return None
        ask = outbound[declared.message]
        return SignInPlan(ask, answers[ask.declared.answer], path_getter(declared.token))

    def _tells(self, outbound: Mapping[str, OutboundPlan]) -> None:
        for party, messages in self.declared.tells.items():
            for action, message in messages.items():
                self._known(message, outbound, "outbound message", "tells", party, action)

    def _role(self) -> SystemRole:
        declared = self.declared
        return SystemRole(
            id=self.folder.name,
            title=declared.title,
            edition=declared.edition,
            source="source" in declared.roles,
            owner="owner" in declared.roles,
            tells={party: dict(messages) for party, messages in declared.tells.items()},
        )

    def _connector(self) -> ConnectorFacts:
        connector = self.declared.connector
        wsdls = {path: self.folder / "contract" / name for path, name in connector.wsdl.items()}
        return ConnectorFacts(connector.protocol, connector.timeout, MappingProxyType(wsdls))
