"""Rules put together into one function, in Python written for them when a declaration is loaded.

What reading a message costs is mostly calls: of a getter inside a getter inside a getter. The commonest rules therefore
say of themselves what their lines would be; all others are called from there. Nothing a declaration says becomes
source but names of members, quoted.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable


class Code:
    """The function that is being written."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._things: dict[str, Any] = {}
        self._members: dict[str, str] = {}
        self._depth = 1

    def line(self, text: str) -> None:
        """One more line, where the open blocks have it."""
        self._lines.append("    " * self._depth + text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """What is written meanwhile stands below `head`."""
        self.line(f"{head}:")
        self._depth += 1
        yield
        self._depth -= 1

    def thing(self, thing: object) -> str:
        """A name for something that is no text: a function, a table."""
        name = f"thing_{len(self._things)}"
        self._things[name] = thing
        return name

    def local(self) -> str:
        """A name nothing else has."""
        return self.thing(None)

    def member(self, document: str, name: str) -> str:
        """An expression: the member of the document of that name, None when it has none or is no object."""
        return f"{self._members[document]}({name!r})"

    def document(self, name: str) -> None:
        """`name` holds a document from here on."""
        self._members[name] = given = self.local()
        self.line(f"{given} = {name}.get if type({name}) is dict else {self.thing(_nothing)}")

    def value(self, get: Callable[[Any], Any], into: str, document: str) -> None:
        """Lines that leave in `into` what `get` gives of the document."""
        if isinstance(get, Inline):
            get.write(self, into, document)
        else:
            self.line(f"{into} = {self.thing(get)}({document})")

    def function(self, get: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The function that does what `get` does."""
        self.document("document")
        self.value(get, "value", "document")
        source = "\n".join(["def read(document):", *self._lines, "    return value"])
        exec(compile(source, "<rules>", "exec"), self._things)  # noqa: S102 - ours; see the head of this module
        return self._things["read"]  # type: ignore[no-any-return]


@runtime_checkable
class Inline(Protocol):
    """A getter that can say what its lines would be."""

    def __call__(self, document: Any, /) -> Any:  # noqa: ANN401
        """What the lines do, for whoever asks for this value alone."""

    def write(self, code: Code, into: str, document: str) -> None:
        """Lines that leave in `into` what calling this gives of the document."""


def compiled(get: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same as one function."""
    return Code().function(get) if isinstance(get, Inline) else get


def _nothing(_name: str) -> None:
    return None
