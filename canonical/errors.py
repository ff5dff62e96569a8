"""Errors say what happens next.

They carry no HTTP status: the gateway has one table from error to status. They never carry personal data.
"""

from enum import StrEnum


class HubError(Exception):
    """Anything gridhub raises on purpose."""


class Misconfigured(HubError):
    """Start-up cannot go on; the text lists every finding."""


class Unavailable(HubError):
    """Not delivered, and certainly not taken by the other side; try again later."""

    def __init__(self, text: str, *, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after
        """Seconds the other side asked us to wait, if it did."""


class Drifted(Unavailable):
    """What it goes to is no longer as declared, such as a table without one of its columns. Repaired, it heals."""


class InDoubt(HubError):
    """Sent, and no answer came: the other side may or may not have taken it."""


class Unauthenticated(HubError):
    """The other side does not accept our credential (any more): renew it, then try once more."""


class Why(StrEnum):
    """Why a message cannot be taken. A source's reply table and the journal speak in these words."""

    UNREADABLE = "unreadable"
    """The bytes are not what the transport says they are (broken JSON, XML, charset, multipart, a DTD)."""
    TOO_LARGE = "too_large"
    UNAUTHENTICATED = "unauthenticated"
    CONTRACT = "contract"
    """Readable, but it breaks the agreed schema."""
    UNMAPPED_CODE = "unmapped_code"
    """A code without a row in the table: quarantined, healed by one added row and a replay."""
    IMPLAUSIBLE = "implausible"
    """A value that cannot be true, such as a report from the far future."""
    UNKNOWN_CASE = "unknown_case"
    NOT_ALLOWED = "not_allowed"
    """The lifecycle table has no such step for this case, or not for this party."""
    UNKNOWN_MESSAGE = "unknown_message"
    """No declared message of that system fits."""
    NOT_TAKEN = "not_taken"
    """The other system understood and said no."""


class Unacceptable(HubError):
    """Never retried: refused, quarantined or parked for a person."""

    why: Why = Why.CONTRACT

    def __init__(self, text: str, *, why: Why | None = None, at: str = "", key: str = "") -> None:
        super().__init__(text)
        self.why = why or type(self).why
        self.at = at
        """Where in the message, as a path of its own names."""
        self.key = key
        """The source's own id of the thing, when it could still be read."""


class ContractViolation(Unacceptable):
    """The message breaks the agreed schema."""

    why = Why.CONTRACT


class UnmappedCode(Unacceptable):
    """A code has no counterpart in the tables."""

    why = Why.UNMAPPED_CODE


class IllegalAction(Unacceptable):
    """The lifecycle table does not allow this action now, or not by this party, or it lacks something."""

    why = Why.NOT_ALLOWED


class TooEarly(IllegalAction):
    """Others have to act first. What a system says too early is kept, and done when they have."""


class Refused(Unacceptable):
    """The other system understood and said no."""

    why = Why.NOT_TAKEN


class Duplicate(Refused):
    """It said that it has this already: of a sending in doubt the proof that it arrived, of any other a refusal."""

    def __init__(self, text: str, *, external_id: str = "", visible_no: str = "") -> None:
        super().__init__(text)
        self.external_id, self.visible_no = external_id, visible_no
        """What it is called there, when the answer tells that too."""
