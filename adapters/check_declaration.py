"""How a message shows who sent it, and that it came whole."""

from typing import Any, Literal

from pydantic import Field

from adapters.asymmetric import Signature
from adapters.declared import Declared


class BasicCheck(Declared):
    """HTTP Basic: names of the two secrets."""

    username: str
    password: str


class Verify(Declared):
    """A signature by a private key that is not ours."""

    algorithm: Signature
    key: str = Field(description="name of the secret that holds the public key: PEM, or its base64")
    output: Literal["base64", "hex"] = Field(default="base64", description="how the signature is written")


class SignatureCheck(Declared):
    """A signature the other side made: computed again, and compared."""

    shown: Any = Field(description="rule: where the signature stands")
    of: Any = Field(description="rule: what it must be, with digest; or what was signed, with `verify`")
    verify: Verify | None = Field(default=None, description="where it can only be checked, by their public key")
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
