"""Scopes over the facts of assessment: the condition that every statement which counts or lists them carries.

A fact says what held of its case at that point, and the scope is held against that: a district's figures keep what was
late there, though the case has gone elsewhere since. Such a case is seen no more, so its number is not told.
"""

from canonical.rights import Scope
from storage.scoping import seen

_LIMITS = {
    "areas": "fact.area LIKE ANY(CAST(:scope_areas AS text[]))",
    "classes": "fact.class_code LIKE ANY(CAST(:scope_classes AS text[]))",
    "systems": "(fact.source = ANY(CAST(:scope_systems AS text[]))"
    " OR fact.system = ANY(CAST(:scope_systems AS text[])))",
    "units": "fact.unit = ANY(CAST(:scope_units AS text[]))",
}


def counted(scope: Scope) -> str:
    """A condition on rows of `fact`: true where the scope counts them. Its parameters are `scoping.values`."""
    return " AND ".join(limit for name, limit in _LIMITS.items() if getattr(scope, name)) or "true"


def told(scope: Scope, is_it: str) -> str:
    """That the number of a case may be told; `is_it` finds the case `scoped`. What has no case is judged by its
    facts.
    """
    if scope.whole:
        return "true"
    return f"NOT EXISTS (SELECT FROM cases scoped WHERE {is_it} AND ({seen(scope, 'scoped')}) IS NOT TRUE)"


def numbered(scope: Scope) -> str:
    """The number of a fact's case, empty where it may not be told."""
    if scope.whole:
        return "case_no"
    return f"CASE WHEN {told(scope, 'scoped.id = fact.case_id')} THEN fact.case_no ELSE '' END AS case_no"
