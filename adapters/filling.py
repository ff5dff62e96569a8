"""The fields of a canonical value, and texts, which most fields are."""

from collections.abc import Callable
from typing import Any

from adapters.inlined import Text
from adapters.path import Get
from adapters.rule import compile_rule, is_rule
from adapters.scope import Scope
from adapters.yaml_file import Where

Fill = Callable[[Any], dict[str, Any]]
"""A document to the keyword arguments of a canonical value; what is empty is left out."""


def text_rule(node: object, scope: Scope, where: Where) -> Get:
    """A rule whose value must be one text; numbers become text."""
    get = compile_rule(node, scope, where)
    return Text(get, ".".join(map(str, where))) if is_rule(node) else get
