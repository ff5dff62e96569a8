"""Scopes in SQL: the condition that every statement about cases carries, and the parameters it needs.

A scope without limits adds nothing, so that what the centre asks costs what it did before there were scopes.
"""

from canonical.errors import HubError
from canonical.rights import Scope

_LIMITS = {
    "areas": "{of}.area LIKE ANY(CAST(:scope_areas AS text[]))",
    "classes": "{of}.class_code LIKE ANY(CAST(:scope_classes AS text[]))",
    "systems": "({of}.source = ANY(CAST(:scope_systems AS text[]))"
    " OR {of}.owner = ANY(CAST(:scope_systems AS text[])))",
    "units": "({of}.unit = ANY(CAST(:scope_units AS text[])) OR jsonb_path_query_array({of}.state,"
    " '$.assignments[*].unit') ?| CAST(:scope_units AS text[]))",
}  # fmt: skip
_OF_TALLIES = {
    "areas": "{of}.street LIKE ANY(CAST(:scope_areas AS text[]))",
    "classes": _LIMITS["classes"],
    "systems": _LIMITS["systems"],
    "units": "{of}.unit = ANY(CAST(:scope_units AS text[]))",
}
_BY_BEGINNING = frozenset({"areas", "classes"})


class OutOfScope(HubError):
    """What is asked concerns the whole city, and the scope is a part of it."""


def seen(scope: Scope, of: str = "c") -> str:
    """A condition on the row `of` of `cases`, for `text`: true where the scope may see it."""
    given = [limit.format(of=of) for name, limit in _LIMITS.items() if getattr(scope, name)]
    return " AND ".join(given) or "true"


def tallied(scope: Scope, of: str) -> str:
    """The same on a row of tallies. They count a case with the unit that leads, not with those that were called."""
    given = [limit.format(of=of) for name, limit in _OF_TALLIES.items() if getattr(scope, name)]
    return " AND ".join(given) or "true"


def seen_by_id(scope: Scope, case_id: str) -> str:
    """A condition on a row that names its case by `case_id`; a row without a case only the whole city sees."""
    if scope.whole:
        return "true"
    return f"EXISTS (SELECT FROM cases scoped WHERE scoped.id = {case_id} AND {seen(scope, 'scoped')})"


def values(scope: Scope) -> dict[str, list[str]]:
    """The parameters of `seen`."""
    given = {name: getattr(scope, name) for name in _LIMITS if getattr(scope, name)}
    return {
        f"scope_{name}": [f"{literal(one)}%" for one in ones] if name in _BY_BEGINNING else list(ones)
        for name, ones in given.items()
    }


def whole(scope: Scope) -> None:
    """Raises OutOfScope unless the scope is the whole city: for what cannot be told by cases."""
    if not scope.whole:
        raise OutOfScope("this concerns the whole city, and you see a part of it")


def literal(beginning: str) -> str:
    """A beginning for LIKE, in which nothing stands for anything else."""
    return beginning.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
