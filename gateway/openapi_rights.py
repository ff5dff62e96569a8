"""Writes into an OpenAPI document which right each operation needs, read off the dependency that asks for it.

`x-right`: the rights (docs/people.md), all of them; `a|b`: one of the two will do. `x-whole-city`: true where who sees
a part of the city is not let in.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import BaseRoute

from gateway.access import Allowed


def with_rights(document: dict[str, Any], routes: Sequence[BaseRoute]) -> None:
    """Each operation of these routes gets what its doors ask for; one without doors gets nothing."""
    for context in iter_route_contexts(routes):
        if isinstance(context.route, APIRoute) and (doors := list(_doors(context.dependant))):
            for method in context.methods or ():
                operation = document["paths"][context.path_format][method.lower()]
                operation["x-right"] = sorted({"|".join(door.rights) for door in doors})
                operation["x-whole-city"] = any(door.city for door in doors)


def _doors(dependant: Dependant) -> Iterator[Allowed]:
    if isinstance(dependant.call, Allowed):
        yield dependant.call
    for one in dependant.dependencies:
        yield from _doors(one)
