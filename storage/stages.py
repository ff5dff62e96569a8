"""Stages and actions as lists of words for SQL: they come from the lifecycle table, not from outside."""

from canonical.lifecycle import GIVES, OPEN, ActionKind

OPEN_STAGES = ", ".join(f"'{stage}'" for stage in sorted(OPEN))
"""The stages of cases that somebody owes work, for SQL: named, so that the index finds the few among all that ended."""


GIVING = ", ".join(f"'{kind}'" for kind in sorted(GIVES))
"""The actions that give a case to a unit, each with an assignment of its own, for SQL."""
LEADING = ", ".join(f"'{kind}'" for kind in sorted(GIVES - {ActionKind.WHISTLE}))
"""Those of them that say who leads."""
