"""How the API says no: one envelope for every refusal."""

from canonical.errors import HubError, Why


class Refusal(HubError):
    """An answer in our own error envelope."""

    def __init__(self, status: int, code: str, text: str, hint: str = "", *, retry_after: int = 0) -> None:
        """`retry_after`: seconds to wait; 0: trying again changes nothing."""
        super().__init__(text)
        self.status, self.code, self.hint, self.retry_after = status, code, hint, retry_after


def plain(value: str) -> str:
    """A query value as the database can take it."""
    if "\0" in value:
        raise Refusal(422, Why.CONTRACT, "U+0000 cannot be looked for")
    return value
