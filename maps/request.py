"""What a map service is asked, and what it answers: plain values, whatever server carries them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from canonical.rights import Scope


@dataclass(frozen=True, slots=True)
class Request:
    """One request of an authenticated client."""

    method: str
    path: str
    """Below the service's own address, such as `/collections/cases/items`; empty for key-value services."""
    pairs: Sequence[tuple[str, str]]
    """The query, decoded, in order, doubled keys and all."""
    scope: Scope
    now: datetime
    url: str = ""
    """The service's own address as the client sees it, without a query: `https://city/ogc/wfs`."""
    token: str = field(default="", repr=False)
    """What the client showed in its address, as `token=...`: addresses we give it must have it too."""
    accept: str = ""
    content_type: str = ""
    body: bytes = b""
    languages: str = ""

    @property
    def start(self) -> str:
        """The address to which parameters are added: it ends with `?` or `&`."""
        return f"{self.url}?{self.token}&" if self.token else f"{self.url}?"

    def keys(self) -> dict[str, str]:
        """The query with names in upper case, as OGC services read them. Raises Doubled."""
        read: dict[str, str] = {}
        for name, value in self.pairs:
            key = name.upper()
            if key in read and read[key] != value:
                raise Doubled(key)
            read[key] = value
        return read


class Doubled(Exception):
    """A parameter is given twice, and not with the same value."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What an answer took, for whoever counts."""

    features: int = 0
    """Features written."""
    pixels: int = 0
    """Pixels drawn for this answer; none where the picture was kept."""
    picture: str = ""
    """`drawn` or `cache`, of pictures and vector tiles."""
    problem: bool = False
    """True for an exception that its status does not show."""

    @classmethod
    def of_picture(cls, pixels: int, *, kept: bool) -> Self:
        """Of a picture, drawn or from the cache."""
        return cls(pixels=0 if kept else pixels, picture="cache" if kept else "drawn")


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back."""

    content_type: str
    body: bytes | Iterable[bytes]
    """Parts, where it is long: they are sent as they are made."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    effort: Effort = field(default=Effort(), compare=False)
