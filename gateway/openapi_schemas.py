"""Puts the schemas that routes bring along where an OpenAPI document has them: else tools cannot follow their $ref."""

from typing import Any

_BROUGHT, _PLACE = "#/$defs/", "#/components/schemas/"


def gathered(document: dict[str, Any]) -> dict[str, Any]:
    """The document with every `$defs` below its paths moved to its components, and references that follow.

    Raises AssertionError when two schemas of one name differ: a defect of ours.
    """
    brought: dict[str, Any] = {}
    paths: dict[str, Any] = _moved(document["paths"], brought)
    components = document.get("components", {})
    known = components.get("schemas", {})
    for name, schema in brought.items():
        assert known.get(name, schema) == schema, f"two schemas are called {name}"
    return document | {"paths": paths, "components": components | {"schemas": known | brought}}


def _moved(part: Any, brought: dict[str, Any]) -> Any:  # noqa: ANN401 any part of a JSON document
    if isinstance(part, list):
        return [_moved(one, brought) for one in part]
    if not isinstance(part, dict):
        return part
    for name, schema in part.get("$defs", {}).items():
        brought[name] = _moved(schema, brought)
    kept = {key: _moved(value, brought) for key, value in part.items() if key != "$defs"}
    if isinstance(ref := kept.get("$ref"), str) and ref.startswith(_BROUGHT):
        kept["$ref"] = _PLACE + ref.removeprefix(_BROUGHT)
    return kept
