"""`maps.yaml`: who may see what on the map, what one answer may cost, and how the map introduces itself."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from canonical.findings import Finding
from canonical.rights import Scope
from gateway.yaml_model import line_of, lines_of, read_model
from maps.contact import NOBODY, Contact
from maps.limits import Limits

PUBLIC, CENTRE = "public", "centre"
MOST_PAST = 200_000
"""Cases that a question about a time gone by may look at."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ScopeFile(_File):
    """What one kind of client may see. Without a limit: everything."""

    token: str = Field(
        default="", description="what its clients show, as ${NAME}: as bearer token, as password of HTTP Basic, or as "
        "`token=` in the address; empty only for the scope `public`, which asks for none",
    )  # fmt: skip
    areas: list[str] = Field(default=[], description="divisions, by the beginning of their codes; none: all")
    classes: list[str] = Field(default=[], description="classes, by the beginning of `30428.2:E04-06`; none: all")
    systems: list[str] = Field(default=[], description="systems that reported a case or own its work; none: all")
    layers: list[str] = Field(default=[], description="layers, as `cases` or `grids_landscape`; none: all")
    texts: bool = Field(default=False, description="may read address and description of cases")


class LimitsFile(_File):
    """What one answer may cost."""

    pixels: int = Field(default=Limits().pixels, ge=65_536, le=100_000_000, description="pixels of a picture")
    features: int = Field(default=Limits().features, ge=1, le=1_000_000, description="features in one answer")
    past: int = Field(default=MOST_PAST, ge=1, le=2_000_000, description="cases of a question about a time gone by")


class ContactFile(_File):
    """Who answers for the map: told to everybody who may ask for capabilities."""

    organisation: str = Field(default="", description="the office that answers for the map")
    person: str = Field(default="", description="whom to ask there: better a desk than a name")
    phone: str = Field(default="", description="its number")
    email: str = Field(default="", pattern=r"^$|^[^@\s]+@[^@\s]+$", description="its address")
    terms: str = Field(default="", description="what the data may be used for: access constraints of capabilities")


class MapsFile(_File):
    """`maps.yaml`."""

    title: str = Field(default="", description="what the map is called; default: the city's name")
    abstract: str = Field(default="", description="what it shows, for capabilities")
    url: str = Field(
        default="", pattern="^$|^https?://[^?#]+[^/?#]$",
        description="how clients reach the door, `https://maps.city.gov.cn`; default: as each request says",
    )  # fmt: skip
    origins: list[str] = Field(
        default=[], description="web pages that may ask from a browser, `https://portal.city.gov.cn`; `*`: any"
    )
    scopes: dict[str, ScopeFile] = Field(default={}, description="by name; `public` is for who shows no token; each:")
    limits: LimitsFile = LimitsFile()
    contact: ContactFile = ContactFile()


@dataclass(frozen=True, slots=True)
class MapSettings:
    """How the map door was told to work."""

    title: str = ""
    abstract: str = ""
    url: str = ""
    origins: frozenset[str] = frozenset()
    scopes: Mapping[str, Scope] = field(default_factory=dict)
    """By name; `public` where there is one."""
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Name of a scope to its token."""
    limits: Limits = field(default_factory=Limits)
    past: int = MOST_PAST
    contact: Contact = NOBODY

    def scope_of(self, token: str) -> Scope | None:
        """The scope that this token opens; without one the public's. None: nobody's."""
        if not token:
            return self.scopes.get(PUBLIC)
        given, found = token.encode(), None
        for name, expected in self.tokens.items():  # all of them, so that time tells nothing
            if expected and hmac.compare_digest(given, expected.encode()):
                found = self.scopes[name]
        return found

    @property
    def texts(self) -> bool:
        """True when somebody may read what people wrote."""
        return any(scope.texts for scope in self.scopes.values())


def read_maps(
    folder: Path, name: str, centre_token: str, filled: Callable[[str, str, str, int], str], findings: list[Finding]
) -> MapSettings:
    """The settings; without a file the centre alone sees everything, with its own token.

    `filled(file, key, text, line)` puts values for `${NAME}`.
    """
    file = read_model(folder / name, MapsFile, findings) if name else MapsFile()
    if file is None:
        return MapSettings()
    lines = lines_of(folder / name) if name else {}
    scopes, tokens = {CENTRE: Scope(CENTRE, texts=True)}, {CENTRE: centre_token}
    for key, one in file.scopes.items():
        at = line_of(lines, f"scopes.{key}")
        scopes[key] = Scope(
            key, tuple(one.areas), tuple(one.classes), tuple(one.systems), tuple(one.layers), public=key == PUBLIC,
            texts=one.texts and key != PUBLIC,
        )  # fmt: skip
        if key == PUBLIC and (one.token or one.texts):
            findings.append(Finding(name, at, f"scopes.{key}", "the public has no token and reads no texts"))
        elif key != PUBLIC and not one.token:
            findings.append(Finding(name, at, f"scopes.{key}.token", "missing: write ${NAME}"))
        elif key != PUBLIC:
            tokens[key] = filled(name, f"scopes.{key}.token", one.token, at)
    doubled = [key for key, token in tokens.items() if token and list(tokens.values()).count(token) > 1]
    if doubled:
        findings.append(Finding(name, 0, "scopes", f"one token for several scopes: {', '.join(doubled)}"))
    limits = Limits(pixels=file.limits.pixels, features=file.limits.features)
    return MapSettings(
        file.title, file.abstract, file.url, frozenset(file.origins), scopes, tokens, limits, file.limits.past,
        Contact(**file.contact.model_dump()),
    )  # fmt: skip
