"""`reply` of a door: what the other side is answered, in its own envelope."""

from typing import Any, Literal

from pydantic import Field, model_validator

from adapters.declared import Conditions, Declared
from canonical.errors import Why
from canonical.message import ACCEPTED, Verdict

_GROUPS: dict[str, frozenset[Verdict]] = {
    "accepted": ACCEPTED | {Verdict.HELD},
    "duplicate": frozenset({Verdict.REPEATED}),
    "deferred": frozenset({Verdict.QUARANTINED, Verdict.HELD}),
}
"""Words for several verdicts; a single verdict's own name may stand beside them."""


class ReplyRow(Declared):
    """One envelope; the first row that fits is sent. A row without verdict, why and when always fits."""

    verdict: tuple[Verdict, ...] = Field(
        default=(),
        description="verdicts, or several at once: accepted (held too), duplicate, deferred (held or quarantined)",
    )
    why: tuple[Why, ...] = ()
    when: Conditions | None = Field(default=None, description="conditions on what the body may use, such as format")
    status: int = Field(default=200, ge=100, le=599)
    body: Any = Field(default=None, description="tree; it may use words, text, why, case_no, number, request, outcomes")
    element: str = Field(default="", description="SOAP, xml: when not the reply's, such as another operation's answer")
    fault: str | None = Field(default=None, description="SOAP fault code (Client, Server) instead of a body")
    format: Literal["json", "soap", "text", "xml"] | None = Field(default=None, description="when not the reply's")

    @model_validator(mode="before")
    @classmethod
    def _groups(cls, value: Any) -> Any:  # noqa: ANN401
        if not isinstance(value, dict) or not isinstance(value.get("verdict"), list | tuple | str):
            return value
        given = [value["verdict"]] if isinstance(value["verdict"], str) else list(value["verdict"])
        verdicts: list[Any] = []
        for one in given:
            verdicts += sorted(_GROUPS[one]) if one in _GROUPS else [one]
        return {**value, "verdict": tuple(verdicts)}


class ReplyDeclaration(Declared):
    """What the other side is answered, in its own envelope."""

    format: Literal["json", "soap", "text", "xml"]
    element: str = Field(default="", description="SOAP: the answer's element; xml: the root")
    version: Literal["1.1", "1.2"] = Field(
        default="1.1", description="SOAP: its version, where the request does not tell"
    )
    namespace: str = Field(default="", description="SOAP, xml: its namespace")
    prefix: str = Field(
        default="soap", pattern=r"^[A-Za-z_][\w.-]*$", description="SOAP: of the envelope, where a reader wants its own"
    )
    content_type: str = Field(default="", description="default: that of the format")
    headers: dict[str, Any] = Field(
        default={}, description="name to text or rule, which sees `body` and `sealed.body` too"
    )
    seal: dict[str, Any] = Field(default={}, description="members added to the body, such as a signature over `body`")
    words: dict[Why, str] = Field(default={}, description="what it is told, by reason; others have common words")
    rows: tuple[ReplyRow, ...] = Field(min_length=1)
