"""Where things are: configuration folder, database, the centre's token. From options, else from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from canonical.errors import Misconfigured

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
VARIABLES = {
    CONFIG: "configuration folder of the city; default: the example city that comes with gridhub",
    DATABASE_URL: "PostgreSQL 15 or newer, postgresql://user:password@host/name, or GRIDHUB_DATABASE_URL_FILE, a file "
    "that holds it; default: an embedded server",
    CENTRE_TOKEN: "bearer token of the centre's people at /api, or GRIDHUB_CENTRE_TOKEN_FILE, a file that holds it; "
    "without it /api answers nobody",
    DATA: "folder of the embedded database; default: .gridhub in the current folder",
    FILES: "folder of the files of cases, the same for all worker processes; default: files in GRIDHUB_DATA",
    LOG: "json for log lines as JSON, set by serve --json-log for its processes; default: text",
    METRICS_PORT: "port at which work serves /metrics and /health, as --metrics-port; default: none",
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
    )


def secret(environment: Mapping[str, str], name: str) -> str:
    """The variable NAME, else what is in the file that NAME_FILE names. Raises Misconfigured when it cannot be read."""
    if environment.get(name) or not environment.get(f"{name}_FILE"):
        return environment.get(name, "")
    try:
        return Path(environment[f"{name}_FILE"]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"the file that {name}_FILE names cannot be read: {type(error).__name__}") from None


def driver_url(url: str) -> str:
    """The URL with our driver's name: people write `postgresql://` or `postgres://`."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+asyncpg://" + url.removeprefix(prefix)
    return url
