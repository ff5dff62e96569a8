"""A city's configuration folder, read whole: all findings at once, with file and line."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

import adapters
from adapters import System
from assessment.indicator_file import load_rulebook
from assessment.rulebook import Rulebook
from canonical.announcement import Right
from canonical.errors import Misconfigured
from canonical.findings import Finding, Severity
from gateway.calendar_file import CalendarFile, NamedCalendarFile, of_units, read_calendars
from gateway.certify.standing import Wanted, shortfall
from gateway.delivery.traffic import UNBOUNDED, Traffic
from gateway.delivery.traffic_file import BreakerFile, RetriesFile, seconds, traffic
from gateway.edition_files import digest_of, files_of
from gateway.fusion.review import read_fusion
from gateway.maps.file import MapSettings, read_maps
from gateway.notify_file import Notify, NotifyFile, notify
from gateway.people.file import PeopleSettings, read_people
from gateway.retention_file import RetentionFile
from gateway.rules_review import read_rules
from gateway.settings import CENTRE_TOKEN, secret
from gateway.team_file import TeamFile, read_team
from gateway.upstream.file import Registered, read_upstream
from gateway.yaml_model import line_of, lines_of, modelled, read_document, read_model
from routing.budgets import NONE as NO_BUDGETS
from routing.budgets import load_budgets
from routing.catalogue import load_catalogue
from routing.city import By, City, Policy
from routing.divisions import load_divisions
from routing.fusion import SEPARATE
from routing.grid_sets import load_registry
from routing.grids import load_districts
from routing.local_systems import load_systems
from routing.locate import Locator, PlacingRules
from routing.responsibility import load_responsibility
from routing.responsibility_review import review
from routing.trade_rules import TradeRules
from routing.units import load_units
from storage.retention_rules import Keep


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CityName(_File):
    """Which city."""

    code: str = Field(pattern=r"^\d{4}$", description="4-digit division code of the city")
    name: str = Field(description="name of the city")


class CatalogueFiles(_File):
    """Classes and standards."""

    folder: str = Field(description="folder of classes.csv and standards.csv")
    edition: str = Field(description="edition stamped on decisions")


class ResponsibilityFile(_File):
    """Who does what."""

    file: str = Field(description="CSV of the responsibility list")
    edition: str = Field(description="edition stamped on decisions")


class PolicyFile(_File):
    """What is left to rules and what to people."""

    check: By = Field(default=By.CENTRE, description="who checks after disposal: centre or automatic")
    close: By = Field(default=By.AUTOMATIC, description="who closes after a passed check: centre or automatic")
    rounds: int = Field(default=3, ge=1, le=20, description="rounds of automatic dispatch after returns")


class PlacingFile(_File):
    """What is decided where geometry alone does not."""

    near: float = Field(
        default=0,
        ge=0,
        le=500,
        description="metres from a unit grid at which a point in none is counted there; 0: no",
    )


class EventsFile(_File):
    """What listeners at the bus may be told of cases. Nobody's data without a right."""

    rights: list[Right] = Field(
        default=[],
        description="`place`: point and address; `texts`: what people wrote; `files`: references to pictures; "
        "`reporter`: name and number of who reported. Default: codes, times, units and divisions only",
    )


class CityFile(_File):
    """`city.yaml`."""

    city: CityName
    calendar: CalendarFile
    calendars: dict[str, NamedCalendarFile] = Field(
        default={}, description="working time of units that keep other hours, by a name that units.csv gives; each:"
    )
    divisions: str = Field(description="CSV of administrative divisions")
    districts: str = Field(description="GeoJSON of district polygons, CGCS2000")
    grids: str = Field(
        description="CSV of the grid sets, unit grids and industries' ([grids.md](grids.md)); or one GeoJSON of unit "
        "grids, CGCS2000, that always hold"
    )
    placing: PlacingFile = PlacingFile()
    coordinates: dict[str, str] = Field(
        default={},
        description="the city's own plane systems: name to a CSV of control points; declared as `LOCAL:name`",
    )
    catalogue: CatalogueFiles
    units: str = Field(description="CSV of organisation units")
    responsibility: ResponsibilityFile
    team: TeamFile | None = Field(default=None, description="officers and their grids; a city may go without")
    clocks: str = Field(default="", description="CSV of the time limits of each step; empty: only disposal is timed")
    fusion: str = Field(
        default="", description="CSV of the classes that an industry system leads; empty: the hub is the centre for all"
    )
    rules: str = Field(default="", description="YAML of the rules of the trade; empty: nothing is limited or escalated")
    policy: PolicyFile = PolicyFile()
    retention: RetentionFile = RetentionFile()
    systems: str = Field(default="systems.yaml", description="YAML of the connected systems")
    events: EventsFile = EventsFile()
    notify: NotifyFile = NotifyFile()
    maps: str = Field(
        default="", description="YAML of the map door: who may see what; empty: the centre alone, with its own token"
    )
    people: str = Field(
        default="", description="YAML of how people sign in ([people.md](people.md)); empty: with local accounts alone"
    )
    upstream: str = Field(
        default="", description="YAML of the map services of others that the city uses ([upstream.md](upstream.md))"
    )
    assessment: str = Field(
        default="", description="folder of indicators.yaml and scores.yaml; empty: nobody is assessed"
    )
    min_tier: Wanted = Field(
        default="none",
        description="tier systems should be certified for: `none`, `bronze`, `silver`, `gold`; `gridhub check` warns",
    )


class SystemFile(_File):
    """One entry of `systems.yaml`."""

    adapter: str = Field(description="name of a shipped adapter, or a folder beside systems.yaml")
    url: str = Field(default="", description="base URL of the system; empty: it only pushes to us")
    secrets: dict[str, str] = Field(default={}, description="secrets the declaration asks for, as ${NAME}")
    urls: dict[str, str] = Field(default={}, description="addresses of single receivers, where they differ, by name")
    ledgers: dict[str, str] = Field(
        default={}, description="CSV files of the ledgers the declaration asks for, by name"
    )
    addresses: list[str] = Field(
        default=[], description="networks the system may push from, such as 10.1.0.0/16; empty: any"
    )
    hub_url: str = Field(default="", description="how the system reaches this hub, for subscriptions; as ${NAME}")
    every: Annotated[float | None, BeforeValidator(seconds)] = Field(
        default=None, gt=0, description="time between pulls, such as 60s or 5m; default: the declaration's"
    )
    concurrency: int = Field(
        default=4, ge=1, le=256, description="messages on their way to the system at once, over all workers"
    )
    rate: float | None = Field(
        default=None, gt=0, le=100_000, description="messages a second at most, over all workers; default: no limit"
    )
    retry: RetriesFile = RetriesFile()
    breaker: BreakerFile = BreakerFile()
    paused: bool = Field(default=False, description="true: nothing is sent or pulled; what arrives is still accepted")
    silent_after: Annotated[float, BeforeValidator(seconds)] = Field(
        default=86_400,
        gt=0,
        description="how long a source that pushes may say nothing before the board calls it silent, such as 2h",
    )
    certificate: str = Field(default="", description="certificate.json of its folder, see certification.md")
    min_tier: Wanted | None = Field(default=None, description="tier of this system; default: that of city.yaml")


@dataclass(frozen=True, slots=True)
class ConnectedSystem:
    """A loaded declaration and how this city reaches it."""

    system: System
    url: str
    every: float | None
    concurrency: int
    paused: bool
    folder: Path = Path("nowhere")
    """Where its declaration lies."""
    urls: Mapping[str, str] = field(default_factory=dict)
    """Addresses of single receivers, by name."""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Where it may push from; none: from anywhere."""
    traffic: Traffic = UNBOUNDED
    certificate: Path | None = None
    min_tier: Wanted | None = None
    """Tier it should be certified for; None: the city's."""
    edition: str = ""
    """Digest of the folder's files as they were loaded."""
    loaded: str = ""
    """The same as the process started with it; `edition` may have rows of code tables that were added since."""
    silent_after: float = 86_400
    """Seconds that a source which pushes may say nothing."""
    load: Callable[[Path], System] | None = field(default=None, repr=False, compare=False)
    """Loads another edition of the folder with the same secrets, ledgers and name."""

    def admits(self, client: tuple[str, int] | None) -> bool:
        """True when a push may come from this address."""
        if not self.networks:
            return True
        try:
            address = ip_address(client[0]) if client else None
        except ValueError:
            return False
        return address is not None and any(address in network for network in self.networks)

    def address(self, receiver: str) -> str:
        """The address of a receiver: its own, else the system's."""
        return self.urls.get(receiver) or self.url


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything read from one folder."""

    city: City
    systems: Mapping[str, ConnectedSystem]
    rights: frozenset[Right] = frozenset()
    """What listeners at the bus may be told."""
    notify: Notify = field(default_factory=Notify)
    """Who is told when something waits for a person."""
    keep: Keep = field(default_factory=Keep)
    """How long what is kept."""
    rules: Rulebook | None = None
    """What is counted and how it is scored; None: nobody is assessed."""
    maps: MapSettings = field(default_factory=MapSettings)
    """Who may see what on the map."""
    upstream: Mapping[str, Registered] = field(default_factory=dict)
    """Map services of others, by name."""
    people: PeopleSettings = field(default_factory=PeopleSettings)
    """How people sign in."""

    def renew(self, system: str, connected: ConnectedSystem) -> None:
        """Read what the system sends by another edition from now on. Whoever holds the old one goes on with it."""
        assert isinstance(self.systems, dict)
        self.systems[system] = connected


_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def load(folder: Path, environment: Mapping[str, str]) -> Configuration:
    """The configuration, ready to run. Raises Misconfigured with every error found, one a line."""
    configuration, findings = read(folder, environment)
    errors = [str(finding) for finding in findings if finding.severity is Severity.ERROR]
    if errors or configuration is None:
        raise Misconfigured("\n".join(errors))
    return configuration


def read(
    folder: Path, environment: Mapping[str, str], *, unset: Severity = Severity.ERROR
) -> tuple[Configuration | None, list[Finding]]:  # fmt: skip
    """The configuration, when it could be put together, and everything wrong with it.

    `unset`: how grave it is that a variable of systems.yaml is not set; a check of the files alone only warns.
    """
    findings: list[Finding] = []
    file = read_model(folder / "city.yaml", CityFile, findings)
    if file is None:
        return None, findings
    systems, names = _systems(folder, file.systems, environment, findings, unset)
    findings += _uncertified(folder, file, systems)
    city, lines = _city(folder, file, systems, names, findings), lines_of(folder / "city.yaml")

    def filled(key: str, text: str) -> str:
        at = line_of(lines, key)
        return _filled(text, environment, lambda said: findings.append(Finding("city.yaml", at, key, said, unset)))

    told = notify(file.notify, filled)
    rights, keep = frozenset(file.events.rights), file.retention.keep()
    units, place = frozenset(city.responsibility.units), file.assessment
    rules = load_rulebook(folder / place, findings, units=units, name=place) if place else None
    of_file = _of_file(environment, unset, findings)
    maps = read_maps(folder, file.maps, secret(environment, CENTRE_TOKEN), of_file, findings)
    upstream = read_upstream(folder, file.upstream, of_file, findings)
    people = read_people(folder, file.people, of_file, findings)
    return Configuration(city, systems, rights, told, keep, rules, maps, upstream, people), sorted(set(findings))


def _of_file(
    environment: Mapping[str, str], unset: Severity, findings: list[Finding]
) -> Callable[[str, str, str, int], str]:
    """Fills the variables of any file of the folder: what is not set is a finding at its key."""

    def filled(file: str, key: str, text: str, line: int) -> str:
        return _filled(text, environment, lambda said: findings.append(Finding(file, line, key, said, unset)))

    return filled


def file_of_maps(folder: Path) -> str:
    """The name of the file that says who may see what on the map; empty: there is none."""
    file = read_model(folder / "city.yaml", CityFile, [])
    return file.maps if file else ""


def grid_registry(folder: Path) -> Path:
    """The file that `grids` of city.yaml names. Raises Misconfigured with every error found, one a line."""
    findings: list[Finding] = []
    file = read_model(folder / "city.yaml", CityFile, findings)
    if file is None:
        raise Misconfigured("\n".join(map(str, findings)))
    return folder / file.grids


def policy(folder: Path) -> Keep:
    """How long what is kept, by city.yaml alone. Raises Misconfigured with every error found, one a line."""
    findings: list[Finding] = []
    file = read_model(folder / "city.yaml", CityFile, findings)
    if file is None:
        raise Misconfigured("\n".join(map(str, findings)))
    return file.retention.keep()


def _city(
    folder: Path, file: CityFile, systems: Mapping[str, ConnectedSystem], names: frozenset[str] | None,
    findings: list[Finding],
) -> City:  # fmt: skip
    calendar, named = read_calendars(folder, file.calendar, file.calendars, findings)
    divisions = load_divisions(folder / file.divisions, findings)
    districts = load_districts(folder / file.districts, divisions, findings)
    registry = load_registry(folder / file.grids, divisions, findings)
    systems_of_city = load_systems(folder, file.coordinates, findings)
    catalogue = load_catalogue(folder / file.catalogue.folder, findings)
    units = load_units(folder / file.units, divisions, names, findings, named)
    responsibility = load_responsibility(folder / file.responsibility.file, units, divisions, findings)
    findings += review(responsibility, catalogue, divisions)
    own = of_units(units, named)
    team = None
    if file.team:
        parts = (registry.codes, divisions, catalogue, responsibility, lambda unit: own.get(unit, calendar))
        team = read_team(folder, file.team, *parts, findings)
    budgets = load_budgets(folder / file.clocks, names, findings) if file.clocks else NO_BUDGETS
    roles = {name: connected.system.role for name, connected in systems.items()}
    fusion = read_fusion(folder / file.fusion, units, roles, names, findings) if file.fusion else SEPARATE
    rules = read_rules(folder / file.rules, findings) if file.rules else TradeRules()
    return City(
        code=file.city.code, name=file.city.name, divisions=divisions, catalogue=catalogue,
        locator=Locator(
            divisions, registry, districts, file.city.code, systems=systems_of_city,
            rules=PlacingRules(near=file.placing.near),
        ), responsibility=responsibility,
        calendar=calendar, calendars=own, team=team, budgets=budgets, rules=rules, fusion=fusion, systems=roles,
        policy=Policy(check=file.policy.check, close=file.policy.close, rounds=file.policy.rounds),
        editions={
            "catalogue": file.catalogue.edition, "responsibility": file.responsibility.edition,
            "calendar": calendar.edition, "rules": rules.edition,
        } | ({"team": file.team.edition} if file.team else {}),
    )  # fmt: skip


def _systems(
    folder: Path, name: str, environment: Mapping[str, str], findings: list[Finding], unset: Severity
) -> tuple[dict[str, ConnectedSystem], frozenset[str] | None]:  # fmt: skip
    """The systems that could be loaded, and the names of all: a broken one must not make its units wrong too.

    None: the file cannot be read, and what units name is not held against it.
    """
    path = folder / name
    found = len(findings)
    document = read_document(path, findings)
    if len(findings) > found:
        return {}, None
    if not isinstance(document, dict):
        findings.append(Finding(name, 0, "", "a mapping of system names is expected"))
        return {}, None
    lines = lines_of(path)
    connected: dict[str, ConnectedSystem] = {}
    for key, value in document.items():
        entry = modelled(value, SystemFile, name, lines, str(key), findings)
        if entry is not None:
            system = _system(folder, str(key), entry, environment, findings, (name, lines.get(str(key), 0), unset))
            connected |= {str(key): system} if system else {}
    return connected, frozenset(map(str, document))


def _uncertified(folder: Path, city: CityFile, systems: Mapping[str, ConnectedSystem]) -> list[Finding]:
    """Systems below the tier that is asked for: a warning, for a hub in service goes on."""
    if not systems:  # none, or a file that could not be read: that is told already
        return []
    lines, found = lines_of(folder / city.systems), []
    for name, one in systems.items():
        key = "certificate" if one.certificate else "min_tier"
        if said := shortfall(one.folder, one.certificate, one.min_tier or city.min_tier):
            found.append(Finding(city.systems, lines.get(name, 0), f"{name}.{key}", said, Severity.WARNING))
    return found


def _system(
    folder: Path, key: str, entry: SystemFile, environment: Mapping[str, str], findings: list[Finding],
    where: tuple[str, int, Severity],
) -> ConnectedSystem | None:  # fmt: skip
    file, line, unset = where
    shipped = adapters.shipped()
    declared = (
        folder / entry.adapter if (folder / entry.adapter / "system.yaml").is_file() else shipped.get(entry.adapter)
    )
    if declared is None:
        known = ", ".join(sorted(shipped))
        findings.append(Finding(file, line, f"{key}.adapter", f"no adapter '{entry.adapter}'; shipped: {known}"))
        return None

    def filled(field: str, text: str) -> str:
        return _filled(
            text, environment, lambda said: findings.append(Finding(file, line, f"{key}.{field}", said, unset))
        )

    secrets = {name: filled(f"secrets.{name}", text) for name, text in entry.secrets.items()}
    placed = {name: filled(f"urls.{name}", text).rstrip("/") for name, text in entry.urls.items()}
    url, hub_url = filled("url", entry.url).rstrip("/"), filled("hub_url", entry.hub_url)
    networks = _networks(entry.addresses, findings, (file, line, f"{key}.addresses"))
    checked = [replace(one, file=f"{declared.name}/{one.file}") for one in adapters.check(declared, samples=False)]
    findings += checked
    if any(finding.severity is Severity.ERROR for finding in checked):
        return None
    given = {name: value or _PLACEHOLDER for name, value in secrets.items() if value or unset is Severity.WARNING}
    ledgers = {name: folder / path for name, path in entry.ledgers.items()}
    again = partial(adapters.load, secrets=given, name=key, ledgers=ledgers, hub_url=hub_url)
    try:
        system = again(declared)
    except Misconfigured as error:
        findings.append(Finding(file, line, f"{key}.secrets", str(error)))
        return None
    return ConnectedSystem(
        certificate=folder / entry.certificate if entry.certificate else None, min_tier=entry.min_tier,
        system=system, url=url, every=entry.every, concurrency=entry.concurrency, paused=entry.paused,
        folder=declared, urls=placed, networks=networks, traffic=traffic(entry.rate, entry.retry, entry.breaker),
        edition=(digest := digest_of(files_of(declared))), loaded=digest, silent_after=entry.silent_after, load=again,
    )  # fmt: skip


_PLACEHOLDER = "unset"


def _filled(text: str, environment: Mapping[str, str], wrong: Callable[[str], None]) -> str:
    """The text with every `${NAME}` filled in: the variable NAME, else the file that the variable NAME_FILE names."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name in environment:
            return environment[name]
        file = environment.get(f"{name}_FILE")
        if file is None:
            wrong(f"environment variable {name} is not set")
            return ""
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            wrong(f"the file that {name}_FILE names cannot be read: {type(error).__name__}")
            return ""

    return _VARIABLE.sub(value, text)


def _networks(
    given: Sequence[str], findings: list[Finding], where: tuple[str, int, str]
) -> tuple[IPv4Network | IPv6Network, ...]:  # fmt: skip
    networks = []
    for text in given:
        try:
            networks.append(ip_network(text, strict=False))
        except ValueError:
            findings.append(Finding(*where, f"'{text}' is no network: write 10.1.0.0/16 or one address"))
    return tuple(networks)
