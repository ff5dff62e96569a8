"""How a message shows who sent it, and that it came whole."""

from typing import Any

from pydantic import Field

from adapters.declared import Declared


class BasicCheck(Declared):
    """HTTP Basic: names of the two secrets."""

    username: str
    password: str


class SignatureCheck(Declared):
    """A signature the other side made: computed again, and compared."""

    shown: Any = Field(description="rule: where the signature stands")
    of: Any = Field(description="rule: what it must be, with digest")
    fold: bool = Field(default=False, description="true: letter case does not matter")


class Fresh(Declared):
    """A time stamp that must be near the hub's clock."""

    at: Any = Field(description="rule with time: where it stands")
    seconds: int = Field(default=300, ge=1)


class Authenticate(Declared):
    """Where the other side shows its secret, or what it signs. All that is declared must hold."""

    from_: str | None = Field(default=None, alias="from", description="path in the whole document")
    header: str | None = Field(default=None, description="or an HTTP header")
    query: str | None = Field(default=None, description="or a name in the query")
    prefix: str = Field(default="", description="what stands before it, as `Bearer `")
    secret: str | tuple[str, ...] | None = Field(
        default=None, description="name of the secret, or names: the first given"
    )
    basic: BasicCheck | None = None
    signature: SignatureCheck | None = None
    fresh: Fresh | None = None
