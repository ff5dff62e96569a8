"""Where things are: configuration folder, database, the centre's token. From options, else from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from canonical.errors import Misconfigured
from connectors.bus import BusAccount

CONFIG, DATABASE_URL, CENTRE_TOKEN, DATA, FILES, LOG, METRICS_PORT, SIMULATE_SECRET = (
    "GRIDHUB_CONFIG",
    "GRIDHUB_DATABASE_URL",
    "GRIDHUB_CENTRE_TOKEN",
    "GRIDHUB_DATA",
    "GRIDHUB_FILES",
    "GRIDHUB_LOG",
    "GRIDHUB_METRICS_PORT",
    "GRIDHUB_SIMULATE_SECRET",
)
EVIDENCE_KEY, EVIDENCE_DIGEST = "GRIDHUB_EVIDENCE_KEY", "GRIDHUB_EVIDENCE_DIGEST"
MAPS_URL = "GRIDHUB_MAPS_URL"
SECRET = "GRIDHUB_SECRET"  # noqa: S105 its name
BUS_URL, BUS_USERNAME, BUS_PASSWORD, BUS_CA, BUS_CERTIFICATE, BUS_KEY = (
    "GRIDHUB_BUS_URL",
    "GRIDHUB_BUS_USERNAME",
    "GRIDHUB_BUS_PASSWORD",
    "GRIDHUB_BUS_CA",
    "GRIDHUB_BUS_CERTIFICATE",
    "GRIDHUB_BUS_KEY",
)
DIGESTS = ("sha256", "sm3")
VARIABLES = {
    CONFIG: "configuration folder of the city; default: the example city that comes with gridhub",
    DATABASE_URL: "PostgreSQL 15 or newer, postgresql://user:password@host/name, or GRIDHUB_DATABASE_URL_FILE, a file "
    "that holds it; default: an embedded server",
    CENTRE_TOKEN: "bearer token of the centre's people at /api, or GRIDHUB_CENTRE_TOKEN_FILE, a file that holds it; "
    "without it /api answers nobody",
    DATA: "folder of the embedded database and of base maps that are kept; default: .gridhub in the current folder",
    FILES: "folder of the files of cases, the same for all gateways and workers; default: files in GRIDHUB_DATA",
    LOG: "json for log lines as JSON, set by serve --json-log for its processes; default: text",
    METRICS_PORT: "port at which work serves /metrics and /health, as --metrics-port; default: none",
    MAPS_URL: "where `gridhub maps` answers, http://127.0.0.1:8090: serve passes /ogc/ on to it, for the console; "
    "default: a proxy before both does",
    SECRET: "what one-time codes of people are sealed with and telephones are found by, 16 characters or more, the "
    "same on all machines, or GRIDHUB_SECRET_FILE, a file that holds it; default: a file in GRIDHUB_DATA, made once",
    EVIDENCE_KEY: "file of the city's Ed25519 private key (PEM) that signs evidence packs and heads; default: none",
    EVIDENCE_DIGEST: "digest of the chain of seals, sha256 or sm3, from its first seal on; default: sha256",
    BUS_URL: "RabbitMQ as the hub's bus, amqps://host/vhost, of a cluster each node's by comma; default: no bus",
    BUS_USERNAME: "name at the bus",
    BUS_PASSWORD: "password at the bus, or GRIDHUB_BUS_PASSWORD_FILE, a file that holds it",
    BUS_CA: "file of the authority that signed the bus's certificate; default: the machine's",
    BUS_CERTIFICATE: "file of the certificate the hub shows to the bus, where it wants one",
    BUS_KEY: "file of that certificate's key",
    SIMULATE_SECRET: "secret a simulated system agreed with the hub, or GRIDHUB_SIMULATE_SECRET_FILE; default: demo",
}
"""Every environment variable gridhub reads by itself; a city's systems.yaml names further ones."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What one process was told."""

    config: Path
    database_url: str = ""
    centre_token: str = field(default="", repr=False)
    data: Path = Path(".gridhub")
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: Path | None = None
    bus: BusAccount | None = None
    """None: no bus."""
    evidence_key: Path | None = None
    evidence_digest: str = "sha256"
    maps_url: str = ""
    """Where map processes answer; empty: nowhere that is known here."""
    secret: str = field(default="", repr=False)
    """Empty: a file of this machine has it."""

    @property
    def file_folder(self) -> Path:
        """Where the files of cases lie."""
        return self.files or self.data / "files"


def example_city() -> Path:
    """The configuration folder that comes with gridhub: beside the sources, or inside the installed package."""
    here = Path(__file__).parent
    packaged, beside = here / "example_city", here.parent / "config"
    return packaged if packaged.is_dir() else beside


def settings(config: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from an option and the environment. Raises Misconfigured when the folder is not there."""
    environment = os.environ if environment is None else environment
    named = config or (Path(environment[CONFIG]) if environment.get(CONFIG) else None)
    folder = named or example_city()
    if not (folder / "city.yaml").is_file():
        raise Misconfigured(f"{folder} holds no city.yaml: give the configuration folder with --config or {CONFIG}")
    return Settings(
        config=folder.absolute(),
        database_url=driver_url(secret(environment, DATABASE_URL)),
        centre_token=secret(environment, CENTRE_TOKEN),
        data=Path(environment.get(DATA) or ".gridhub").absolute(),
        environment=dict(environment),
        files=Path(environment[FILES]).absolute() if environment.get(FILES) else None,
        bus=bus_account(environment),
        evidence_key=Path(environment[EVIDENCE_KEY]).absolute() if environment.get(EVIDENCE_KEY) else None,
        evidence_digest=_digest(environment.get(EVIDENCE_DIGEST) or "sha256"),
        maps_url=_address(environment.get(MAPS_URL, "")),
        secret=secret(environment, SECRET),
    )


def _address(url: str) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise Misconfigured(f"{MAPS_URL}: write http://host:port")
    return url


def _digest(name: str) -> str:
    if name not in DIGESTS:
        raise Misconfigured(f"{EVIDENCE_DIGEST}: '{name}' is none of {', '.join(DIGESTS)}")
    return name


def secret(environment: Mapping[str, str], name: str) -> str:
    """The variable NAME, else what is in the file that NAME_FILE names. Raises Misconfigured when it cannot be read."""
    if environment.get(name) or not environment.get(f"{name}_FILE"):
        return environment.get(name, "")
    try:
        return Path(environment[f"{name}_FILE"]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"the file that {name}_FILE names cannot be read: {type(error).__name__}") from None


def bus_account(environment: Mapping[str, str]) -> BusAccount | None:
    """Where the bus stands; None when there is none. Raises Misconfigured when its settings cannot be right."""
    urls = [url.strip() for url in environment.get(BUS_URL, "").split(",") if url.strip()]
    if not urls:
        return None
    names = (BUS_USERNAME, BUS_CA, BUS_CERTIFICATE, BUS_KEY)
    username, ca, certificate, key = (environment.get(name, "") for name in names)
    account = BusAccount(urls, username, secret(environment, BUS_PASSWORD), ca, certificate, key)
    try:
        account.settings("gridhub")
    except Misconfigured as error:
        raise Misconfigured(f"{BUS_URL}: {error}") from None
    return account


def driver_url(url: str) -> str:
    """The URL with our driver's name: people write `postgresql://` or `postgres://`."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+asyncpg://" + url.removeprefix(prefix)
    return url
