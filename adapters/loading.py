"""From a folder to a System: every file is read and compiled, and everything wrong is found at once.

A folder with a `system.yaml` is a system. There is no registry: `shipped` looks at the folders beside this module, a
city's own folders are loaded by the same code.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lxml import etree
from pydantic import BaseModel, ValidationError

from adapters.answer import compile_answer
from adapters.before import check_before
from adapters.charset import known as known_charset
from adapters.code_table import CodeTable, read_code_table
from adapters.contract import Contract, read_contract
from adapters.declaration import DoorDeclaration, LedgerDeclaration, SystemDeclaration
from adapters.door import Door, compile_door, compile_entrance
from adapters.entrance import Entrance, compile_items, entrance
from adapters.explain import near, report_invalid
from adapters.inbound import InboundPlan, compile_inbound
from adapters.ledger import Ledger, read_ledger
from adapters.message_declaration import InboundDeclaration, OutboundDeclaration
from adapters.outbound import OutboundFacts, OutboundPlan, compile_outbound
from adapters.path import ANYTHING
from adapters.pulling import SignInPlan, compile_pull, compile_sign_in
from adapters.receiver_declaration import AccountDeclaration, ReceiverDeclaration
from adapters.reconciling import ENTRANCE, Around, Reconciling, compile_reconcile
from adapters.reply import ReplyPlans, compile_reply
from adapters.samples import check_samples
from adapters.scope import Scope, functions_of
from adapters.served_wsdl import read_served
from adapters.shape import compile_shape, json_shape
from adapters.system import Account, ConnectorFacts, Receiver, System
from adapters.yaml_file import Where, YamlFile, read_yaml
from canonical.errors import Misconfigured
from canonical.findings import Finding, Severity
from canonical.reading import SystemRole

SYSTEM_FILE = "system.yaml"
_ROLES = 2
_ANSWERING = frozenset({"http", "soap", "table"})
"""Protocols whose answers say something."""
_M = TypeVar("_M", bound=BaseModel)


def shipped() -> dict[str, Path]:
    """Name to folder of every system that comes with the hub."""
    return {path.parent.name: path.parent for path in sorted(Path(__file__).parent.glob(f"*/{SYSTEM_FILE}"))}


def sample_secrets(folder: Path) -> dict[str, str]:
    """What the samples of a folder are signed and encrypted with: no secrets, for they stand in the folder."""
    file = read_yaml(folder / SYSTEM_FILE, [], name=SYSTEM_FILE)
    declared = file.data.get("secrets") if file else None
    given = declared.items() if isinstance(declared, Mapping) else ()
    return {name: _sample(name, one.get("sample") if isinstance(one, Mapping) else None) for name, one in given}


def _sample(name: str, declared: object) -> str:
    return str(declared) if declared else f"demo-{name}"


def check(folder: Path, *, samples: bool = True) -> list[Finding]:
    """Everything wrong with a folder, sorted by file and line. Secrets are taken as given; no network is reached."""
    system, findings = _load(folder, None, {})
    if system is not None and samples:
        findings += check_samples(system, folder)
    return sorted(set(findings))


def load(
    folder: Path, secrets: Mapping[str, str], *, name: str = "", ledgers: Mapping[str, Path] | None = None,
    hub_url: str = "",
) -> System:  # fmt: skip
    """The system of a folder, under the city's `name` for it (default: the folder's).

    `ledgers`: name to the city's CSV file. `hub_url`: how the system reaches this hub. Raises Misconfigured that lists
    every finding.
    """
    system, findings = _load(folder, secrets, ledgers or {})
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if system is None or errors:
        listed = "\n".join(f"  {finding}" for finding in errors)
        raise Misconfigured(f"{folder.name}: {len(errors)} findings\n{listed}")
    return system.named(name or system.role.id, hub_url)


def _load(
    folder: Path, secrets: Mapping[str, str] | None, ledgers: Mapping[str, Path]
) -> tuple[System | None, list[Finding]]:  # fmt: skip
    findings: list[Finding] = []
    file = read_yaml(folder / SYSTEM_FILE, findings, name=SYSTEM_FILE)
    declared = _validated(file, SystemDeclaration, findings) if file else None
    if declared is None:
        _messages_alone(folder, findings)
    system = _Loader(folder, file, declared, findings, secrets, ledgers).system() if file and declared else None
    return system, sorted(set(findings))


def _messages_alone(folder: Path, findings: list[Finding]) -> None:
    """What is wrong with the messages by themselves, where system.yaml does not tell what they may refer to."""
    for path in sorted(folder.glob("messages/*.yaml")):
        if file := read_yaml(path, findings, name=f"messages/{path.name}"):
            _validated(file, _message_model(file), findings)


def _message_model(file: YamlFile) -> type[InboundDeclaration] | type[OutboundDeclaration]:
    return InboundDeclaration if file.data.get("direction") == "in" else OutboundDeclaration


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
    ledgers: Mapping[str, Path]

    def system(self) -> System | None:
        declared, scope = self.declared, self._scope()
        inbound, outbound = self._messages(scope)
        answers = {
            name: compile_answer(answer, scope, ("answers", name), self._charset(answer.charset, "answers", name))
            for name, answer in declared.answers.items()
        }
        writers = {
            name: (plan, answers[plan.declared.answer])
            for name, plan in outbound.items()
            if self._known(plan.declared.answer, answers, "answer", plan.name)
        }
        entrances, replies, doors = self._doors(scope, inbound)
        entrances |= self._pulled(inbound) | self._received(inbound, scope)
        self._references(outbound)
        signing_in = self._sign_in(outbound, scope)
        pulls = tuple(compile_pull(name, pull, scope) for name, pull in declared.pulls.items())
        reconciling = self._reconcile(inbound, scope)
        if reconciling is not None and reconciling.declared.messages:
            plans = self._plans(reconciling.messages, inbound, "reconcile")
            entrances[ENTRANCE] = entrance(json_shape("utf-8"), plans, self.declared.edition)
        connector = self._connector()
        receivers = tuple(
            Receiver(name, one, self._account(one.account, "receivers", name))
            for name, one in declared.receivers.items()
        )
        if any(finding.severity is Severity.ERROR for finding in self.findings):
            return None
        return System(
            role=self._role(inbound),
            doors=doors,
            pulls=pulls,
            receivers=receivers,
            subscription=declared.subscription,
            files=declared.files,
            finds=MappingProxyType(dict(declared.finds)),
            connector=connector,
            outbound=MappingProxyType(
                {
                    name: OutboundFacts(plan.declared.repeat, plan.declared.title)
                    for name, (plan, _) in writers.items()
                    if plan.declared.direction == "out"
                }
            ),
            secrets=tuple(declared.secrets),
            entrances=MappingProxyType(entrances),
            replies=MappingProxyType(replies),
            writers=MappingProxyType(writers),
            signing_in=signing_in,
            reconciling=reconciling,
            zone=scope.zone,
        )

    def _wrong(self, where: Where, text: str) -> None:
        self.findings.append(self.file.finding(where, text))

    def _known(self, name: str, known: Mapping[str, Any], kind: str, *where: str) -> bool:
        if name in known:
            return True
        self._wrong(where, f"no {kind} '{name}'" + near(name, known))
        return False

    def _scope(self) -> Scope:
        tables, ledgers, zone = self._tables(), self._ledgers(), self._zone()
        return Scope(
            file=self.file,
            findings=self.findings,
            names=ANYTHING,
            tables=tables,
            zone=zone,
            secrets=self._secrets(),
            ledgers=ledgers,
            functions=functions_of(zone, tables, ledgers),
            folder=self.folder,
        )

    def _ledgers(self) -> dict[str, Ledger]:
        """The city's files, else the folder's own, else empty ones with the declared columns."""
        found = {}
        for name, declared in self.declared.ledgers.items():
            own = self.folder / "ledgers" / f"{name}.csv"
            path = self.ledgers.get(name) or (own if own.is_file() else None)
            ledger = read_ledger(path, self.findings, name=f"ledgers/{name}.csv") if path else None
            found[name] = ledger or Ledger(name, declared.columns, {})
            self._columns(name, declared, found[name])
        for name in self.ledgers:
            self._known(name, self.declared.ledgers, "ledger", "ledgers")
        return found

    def _columns(self, name: str, declared: LedgerDeclaration, ledger: Ledger) -> None:
        missing = [column for column in declared.columns if column not in ledger.columns]
        if missing or ledger.columns[0] != declared.columns[0]:
            text = f"ledger {name} needs the columns {', '.join(declared.columns)}, the key first"
            self._wrong(("ledgers", name), text)

    def _zone(self) -> ZoneInfo:
        self._charset(self.declared.charset)
        try:
            return ZoneInfo(self.declared.zone)
        except (ZoneInfoNotFoundError, ValueError):
            self._wrong(("zone",), f"no time zone '{self.declared.zone}'; write Asia/Shanghai")
            return ZoneInfo("Asia/Shanghai")

    def _charset(self, given: str, *where: str, file: YamlFile | None = None) -> str:
        """A part's own charset, else the system's; one that nobody knows is a finding, and read as UTF-8."""
        if not given or known_charset(given):
            return given or (self.declared.charset if known_charset(self.declared.charset) else "utf-8")
        text = f"no charset '{given}'; write utf-8, gb18030 or auto"
        self.findings.append((file or self.file).finding((*where, "charset"), text))
        return "utf-8"

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
            return {name: _sample(name, secret.sample) for name, secret in declared.secrets.items()}
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
        given = {path.stem: self._message(path) for path in sorted(self.folder.glob("messages/*.yaml"))}
        read = {name: one for name, one in given.items() if one is not None}
        every = {name: declared for name, (_, declared) in read.items()}
        for name, (file, declared) in read.items():
            here = replace(scope, file=file)
            if isinstance(declared, InboundDeclaration):
                if contract := self._contract(declared.contract):
                    inbound[name] = compile_inbound(name, declared, contract, here, self.declared.crs)
                continue
            contract = self._contract(declared.contract) if declared.contract else None
            charset = self._charset(declared.charset, file=file)
            plan = compile_outbound(name, declared, contract, here, charset, self.declared.common, every)
            outbound[name] = replace(plan, encoded=self.declared.connector.protocol == "http")
            if None not in given.values():  # else the one that is asked may only be unreadable
                check_before(declared, every, here)
            self._spoken(declared, here)
            if declared.direction == "out" and "repeat" not in file.data:
                self.findings.append(file.finding((), "repeat is missing: safe, guarded or never"))
        return inbound, outbound

    def _spoken(self, declared: OutboundDeclaration, here: Scope) -> None:
        """What not every protocol can."""
        spoken = self.declared.connector.protocol
        if declared.method == "CALL" and spoken != "table":
            here.wrong(("method",), "CALL is for connector: {protocol: table}")
        if declared.before and spoken not in _ANSWERING:
            here.wrong(("before",), f"nothing is answered over {spoken}: a question needs http, soap or table")

    def _message(self, path: Path) -> tuple[YamlFile, InboundDeclaration | OutboundDeclaration] | None:
        file = read_yaml(path, self.findings, name=f"messages/{path.name}")
        declared = _validated(file, _message_model(file), self.findings) if file else None
        return (file, declared) if file and declared else None

    def _contract(self, name: str) -> Contract | None:
        return read_contract(self.folder / "contract" / name, self.findings, name=f"contract/{name}")

    def _doors(
        self, scope: Scope, inbound: Mapping[str, InboundPlan]
    ) -> tuple[dict[str, Entrance], dict[str, ReplyPlans], tuple[Door, ...]]:
        entrances, replies, doors = {}, {}, []
        for name, door in self.declared.doors.items():
            where: Where = ("doors", name)
            scope = replace(scope, file=self.file)
            plans = self._plans(door.messages, inbound, "doors", name)
            charset = self._charset(door.charset, "doors", name)
            entrances[name] = compile_entrance(door, plans, scope, where, self.declared.edition, charset)
            replies[name] = compile_reply(door.reply, scope, (*where, "reply"), charset)
            doors.append(self._door(name, door, scope, charset))
        return entrances, replies, tuple(doors)

    def _plans(self, names: tuple[str, ...], inbound: Mapping[str, InboundPlan], *where: str) -> list[InboundPlan]:
        return [inbound[name] for name in names if self._known(name, inbound, "inbound message", *where, "messages")]

    def _door(self, name: str, door: DoorDeclaration, scope: Scope, charset: str) -> Door:
        served = None
        try:
            served = read_served(self.folder / "contract" / door.wsdl) if door.wsdl else None
        except Misconfigured as error:
            self._wrong(("doors", name, "wsdl"), str(error))
        return compile_door(name, door, scope, ("doors", name), charset, served)

    def _wsdl(self, name: str, *where: str) -> Path | None:
        path = self.folder / "contract" / name
        try:
            etree.fromstring(path.read_bytes(), etree.XMLParser(resolve_entities=False, no_network=True))
        except (OSError, etree.XMLSyntaxError) as error:
            self._wrong(where, f"contract/{name} is no WSDL that can be read: {type(error).__name__}")
            return None
        return path

    def _pulled(self, inbound: Mapping[str, InboundPlan]) -> dict[str, Entrance]:
        return {
            name: entrance(
                json_shape("utf-8"), self._plans(pull.messages, inbound, "pulls", name), self.declared.edition
            )
            for name, pull in self.declared.pulls.items()
        }

    def _received(self, inbound: Mapping[str, InboundPlan], scope: Scope) -> dict[str, Entrance]:
        return {name: self._receiver(name, one, inbound, scope) for name, one in self.declared.receivers.items()}

    def _receiver(
        self, name: str, declared: ReceiverDeclaration, inbound: Mapping[str, InboundPlan], scope: Scope
    ) -> Entrance:  # fmt: skip
        where: Where = ("receivers", name)
        steps = declared.shape
        charset = self._charset(declared.charset, "receivers", name)
        if declared.table:  # the driver gives texts, and what the hub makes of a row is UTF-8
            charset = "utf-8"
            if not declared.table.columns:
                text = (
                    "no columns are listed: one that is renamed at the other side will be read as empty, and nobody is"
                    " told; add columns: those that must be there"
                )
                self.findings.append(self.file.finding((*where, "table"), text, Severity.WARNING))
        shape = compile_shape(steps, scope, (*where, "shape"), charset) if steps else json_shape(charset)
        plans = self._plans(declared.messages, inbound, "receivers", name)
        items = compile_items(declared.items, scope, (*where, "items"))
        return entrance(shape, plans, self.declared.edition, document=declared.document, items=items)

    def _sign_in(self, outbound: Mapping[str, OutboundPlan], scope: Scope) -> SignInPlan | None:
        declared = self.declared.sign_in
        if declared is None or not self._known(declared.message, outbound, "message", "sign_in", "message"):
            return None
        plan = compile_sign_in(declared, scope)
        return None if any(not scope.secrets.get(name) for name in declared.secrets) else plan

    def _reconcile(self, inbound: Mapping[str, InboundPlan], scope: Scope) -> Reconciling | None:
        declared = self.declared.reconcile
        if declared is None:
            return None
        if declared.by != "told" and self.declared.connector.protocol not in _ANSWERING:
            spoken = self.declared.connector.protocol
            self._wrong(("reconcile", "by"), f"nothing is answered over {spoken}: write by: told, and why")
        pulls = {name: pull.messages for name, pull in self.declared.pulls.items()}
        unlisted = {
            name: "it asks about one case after the other; write by: query" if pull.per_case else "a queue forgets"
            for name, pull in self.declared.pulls.items()
            if pull.per_case or pull.acknowledge
        }
        return compile_reconcile(declared, scope, Around(tuple(self.declared.roles), pulls, inbound, unlisted))

    def _references(self, outbound: Mapping[str, OutboundPlan]) -> None:
        """Every message that the declaration names is there, and every entrance has a name of its own."""
        declared = self.declared
        for where, message in _named(declared):
            self._known(message, outbound, "outbound message", *where)
        names = [*declared.doors, *declared.pulls, *declared.receivers]
        for name in {name for name in names if names.count(name) > 1}:
            self._wrong(("doors",), f"'{name}' names two of doors, pulls and receivers")
        if declared.reconcile is not None and ENTRANCE in names:
            self._wrong(("reconcile",), f"a door, pull or receiver has the name '{ENTRANCE}'; give it another one")
        for name in declared.finds:
            self._known(name, outbound, "outbound message", "finds")
        for party, actions in declared.unsupported.items():
            for action in set(actions) & set(declared.tells.get(party, {})):
                self._wrong(("unsupported", party, action), "tells says how this is told")
        self._both()

    def _both(self) -> None:
        """A case that the platform reported is given to it only where `both` says how; else it waits at the desk."""
        declared = self.declared
        if len(set(declared.roles)) < _ROLES or not declared.tells or declared.tells.get("both"):
            return
        if not declared.unsupported.get("both"):
            text = (
                "a case it reported is never given to it to work on, but waits at the desk: add tells.both with what it"
                " is told then, or unsupported.both with the reason"
            )
            self.findings.append(self.file.finding(("tells",), text, Severity.WARNING))

    def _account(self, declared: AccountDeclaration, *where: str) -> Account:
        """The account with its secrets filled in."""
        secrets, given = self._secrets(), dict[str, str]()
        for field in ("username", "password", "private_key", "host_key", "ca", "certificate", "key"):
            name = getattr(declared, field)
            if name and self._known(name, secrets, "declared secret", *where, "account", field):
                given[field] = secrets[name] or ""
        return Account(scheme=declared.scheme, client_id=declared.client_id, **given)

    def _role(self, inbound: Mapping[str, InboundPlan]) -> SystemRole:
        declared = self.declared
        return SystemRole(
            id=self.folder.name,
            title=declared.title,
            edition=declared.edition,
            source="source" in declared.roles,
            owner="owner" in declared.roles,
            leads=any(plan.leads for plan in inbound.values()),
            tells={party: dict(messages) for party, messages in declared.tells.items()},
            unsupported={party: dict(reasons) for party, reasons in declared.unsupported.items()},
            alarms=dict(declared.alarms),
        )

    def _connector(self) -> ConnectorFacts:
        connector = self.declared.connector
        wsdls = {path: self.folder / "contract" / name for path, name in connector.wsdl.items()}
        account = self._account(connector.account, "connector")
        return ConnectorFacts(
            connector.protocol,
            connector.timeout,
            connector.max_answer,
            connector.max_file,
            MappingProxyType(wsdls),
            connector.soap,
            account,
            connector.prefix,
            settle=2 * connector.timeout if connector.settle is None else connector.settle,
            watch=connector.watch,
        )


def _named(declared: SystemDeclaration) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every place in system.yaml that names an outbound message."""
    for name, pull in declared.pulls.items():
        yield ("pulls", name, "ask"), pull.ask
        if pull.detail:
            yield ("pulls", name, "detail", "ask"), pull.detail.ask
        if pull.acknowledge:
            yield ("pulls", name, "acknowledge", "message"), pull.acknowledge.message
        if pull.count:
            yield ("pulls", name, "count", "ask"), pull.count.ask
    for party, messages in declared.tells.items():
        for action, message in messages.items():
            yield ("tells", party, action), message
    for name, message in declared.finds.items():
        yield ("finds", name), message
    if declared.files:
        yield ("files", "fetch"), declared.files.fetch
    for message in declared.reconcile.asks if declared.reconcile else ():
        yield ("reconcile", "ask"), message
    if (subscription := declared.subscription) is not None:
        keepalive = subscription.keepalive.message if subscription.keepalive else None
        said = {
            "register": subscription.register_, "keepalive": keepalive, "subscribe": subscription.subscribe,
            "unsubscribe": subscription.unsubscribe, "unregister": subscription.unregister,
        }  # fmt: skip
        yield from ((("subscription", key), message) for key, message in said.items() if message)
