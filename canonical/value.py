"""The base of every canonical value: immutable, closed to unknown keys, one JSON form."""

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, Self, TypeVar

from pydantic import BaseModel, ConfigDict

_set = object.__setattr__


class Value(BaseModel):  # noqa: PLW1641 frozen: pydantic gives it its hash
    """An immutable value. Unknown keys are an error; times must carry a zone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __eq__(self, other: object) -> bool:
        """The same kind of value with the same members: it has nothing else that could differ."""
        if self.__class__ is not other.__class__:
            return NotImplemented
        return self.__dict__ == other.__dict__

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's, in half the time: a frozen value has only its members to copy."""
        if deep:
            return super().model_copy(update=update, deep=True)
        changes = update or {}
        return _of(self.__class__, {**self.__dict__, **changes}, {*self.__pydantic_fields_set__, *changes})


P = ParamSpec("P")
V = TypeVar("V", bound=Value)


def unchecked(value: Callable[P, V]) -> Callable[P, V]:
    """The constructor of a value without its validation, for what the hub puts together of values that have theirs.

    What comes from outside is validated where it comes in, and what was stored when it is read again. Types are checked
    as the constructor's; names that the value does not have are not noticed.
    """
    assert isinstance(value, type)
    kind: type[V] = value
    blank = {name: field.get_default(call_default_factory=True) for name, field in kind.model_fields.items()}

    def made(*_: P.args, **given: P.kwargs) -> V:
        return _of(kind, {**blank, **given}, set(given))

    return made


def _of(kind: type[V], members: dict[str, Any], given: set[str]) -> V:
    made = kind.__new__(kind)
    _set(made, "__dict__", members)
    _set(made, "__pydantic_fields_set__", given)
    _set(made, "__pydantic_extra__", None)
    _set(made, "__pydantic_private__", None)
    return made
