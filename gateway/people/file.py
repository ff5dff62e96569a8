"""`people.yaml`: how long a session lasts, who must show a one-time code, and other providers of identity."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from canonical.findings import Finding
from canonical.rights import LIMITED_BY, Role
from gateway.yaml_model import line_of, lines_of, read_model

HOURS, IDLE = 12, 60
_Code = Annotated[str, Field(min_length=1)]
"""An empty beginning would be the beginning of everything."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")


class GroupFile(_File):
    """What members of a group at the provider are here."""

    group: str = Field(min_length=1, description="the group as the provider's claim writes it")
    role: Role = Field(description="their role, a word of [people.md](people.md)")
    areas: list[_Code] = Field(default=[], description="divisions they see, by the beginning of their codes")
    classes: list[_Code] = Field(default=[], description="classes they see, by the beginning of `30428.2:E04-06`")
    systems: list[_Code] = Field(default=[], description="systems whose cases they see")
    units: list[_Code] = Field(default=[], description="units whose cases they see")


class ProviderFile(_File):
    """One provider of OpenID Connect."""

    title: str = Field(min_length=1, description="what its button says")
    issuer: str = Field(pattern=r"^https?://[^?#]+$", description="its issuer; discovery is read below it")
    client_id: str = Field(min_length=1, description="what the hub is called there")
    client_secret: str = Field(default="", description="as ${NAME}; empty for a public client")
    scopes: str = Field(default="openid profile", description="what is asked for")
    login: str = Field(default="preferred_username", description="claim that names the account here")
    name: str = Field(default="name", description="claim with the person's name")
    claim: str = Field(default="groups", description="claim with the person's groups")
    groups: list[GroupFile] = Field(
        default=[], description="accounts are made and kept by these rows, the first that fits; without rows an "
        "account must have been made here before; each:",
    )  # fmt: skip


class PeopleFile(_File):
    """`people.yaml`."""

    hours: int = Field(default=HOURS, ge=1, le=168, description="hours after which one signs in again")
    idle: int = Field(default=IDLE, ge=5, le=1440, description="minutes without a request after which a session ends")
    secure: bool | None = Field(
        default=None,
        description="true: sessions go over https alone; default: as `url` says, or the request came",
    )
    codes: list[Role] = Field(default=[], description="roles that must set up one-time codes before they do anything")
    url: str = Field(
        default="", pattern="^$|^https?://[^?#]+[^/?#]$",
        description="how people reach the hub, `https://hub.city.gov.cn`: providers send them back there; default: as "
        "the request says",
    )  # fmt: skip
    providers: dict[str, ProviderFile] = Field(default={}, description="by a short name; each:")


@dataclass(frozen=True, slots=True)
class PeopleSettings:
    """How people sign in."""

    hours: timedelta = timedelta(hours=HOURS)
    idle: timedelta = timedelta(minutes=IDLE)
    secure: bool | None = None
    codes: frozenset[Role] = frozenset()
    url: str = ""
    providers: Mapping[str, ProviderFile] = field(default_factory=dict, repr=False)


def read_people(
    folder: Path, name: str, filled: Callable[[str, str, str, int], str], findings: list[Finding]
) -> PeopleSettings:  # fmt: skip
    """The settings; without a file local accounts alone. `filled(file, key, text, line)` puts values for `${NAME}`."""
    file = read_model(folder / name, PeopleFile, findings) if name else PeopleFile()
    if file is None:
        return PeopleSettings()
    lines = lines_of(folder / name) if name else {}
    providers = {}
    for key, one in file.providers.items():
        at = f"providers.{key}"
        said = filled(name, f"{at}.client_secret", one.client_secret, line_of(lines, at)) if one.client_secret else ""
        providers[key] = one.model_copy(update={"client_secret": said})
        for group in one.groups:
            missing = [limit for limit in LIMITED_BY.get(group.role, ()) if not getattr(group, limit)]
            findings += [
                Finding(name, line_of(lines, at), f"{at}.groups", f"{group.group}: a {group.role} needs {limit}")
                for limit in missing
            ]
    hours, idle = timedelta(hours=file.hours), timedelta(minutes=file.idle)
    return PeopleSettings(hours, idle, file.secure, frozenset(file.codes), file.url, providers)
