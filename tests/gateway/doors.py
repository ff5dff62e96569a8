"""Every route of the OpenAPI document as somebody asks it: found by itself, its parameters filled from real ids."""

import io
import random
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

SAFE = "get"
_METHODS = ("get", "put", "post", "patch", "delete")


@dataclass(frozen=True)
class Route:
    """One operation."""

    method: str
    path: str
    operation: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def rights(self) -> list[str]:
        """What the document says one must have; empty: it is open, or one's own."""
        return list(self.operation.get("x-right", []))

    @property
    def city(self) -> bool:
        """True when it is only for who sees the whole city."""
        return bool(self.operation.get("x-whole-city"))

    def parameters(self, where: str) -> list[Mapping[str, Any]]:
        """Those in the `path` or the `query`."""
        return [one for one in self.operation.get("parameters", []) if one["in"] == where]


def routes(document: Mapping[str, Any]) -> list[Route]:
    """All below /api."""
    return [
        Route(method, path, operation)
        for path, operations in sorted(document["paths"].items())
        for method, operation in operations.items()
        if path.startswith("/api/") and method in _METHODS
    ]


@dataclass(frozen=True)
class Asking:
    """A route with its parameters filled."""

    route: Route
    path: str
    query: Sequence[tuple[str, str]]

    def of(self, client: httpx.Client, body: object = None) -> httpx.Response:
        """The answer."""
        return client.request(self.route.method, self.path, params=list(self.query), json=body)

    @property
    def given(self) -> str:
        """What was said, which an answer may repeat."""
        return " ".join([self.path, *(value for _, value in self.query)])


@dataclass(frozen=True)
class Filler:
    """Fills parameters: in paths and where they are needed from `ids`, by name; else with what might find something."""

    ids: Mapping[str, Sequence[str]]
    lures: Sequence[str]
    """Numbers and words of cases, put into whatever takes a text."""
    dice: random.Random
    document: Mapping[str, Any]
    most: int = 2
    """Ids that are tried at one route."""

    def unfilled(self, route: Route) -> list[str]:
        """Parameters of its path for which there is no value."""
        return [one["name"] for one in route.parameters("path") if not self.ids.get(one["name"])]

    def plain(self, route: Route) -> Iterator[Asking]:
        """With each id of its path, and the least it needs."""
        names = [one["name"] for one in route.parameters("path")]
        every = self.ids[names[0]] if names else [""]
        for value in self.dice.sample(list(every), min(self.most, len(every))):
            chosen = {names[0]: value} if names else {}
            yield self._filled(route, chosen | {name: self.dice.choice(self.ids[name]) for name in names[1:]}, [])

    def lured(self, route: Route) -> Iterator[Asking]:
        """With each further parameter once."""
        for one in route.parameters("query"):
            if (value := self._value(one)) is not None:
                path = {name["name"]: self.dice.choice(self.ids[name["name"]]) for name in route.parameters("path")}
                yield self._filled(route, path, [(one["name"], value)])

    def _filled(self, route: Route, path: Mapping[str, str], query: list[tuple[str, str]]) -> Asking:
        needed = [one for one in route.parameters("query") if one.get("required") and one["name"] not in dict(query)]
        least = [(one["name"], self._value(one) or "1") for one in needed]
        if not dict(query).keys() & {"limit"} and any(one["name"] == "limit" for one in route.parameters("query")):
            least.append(("limit", "100"))
        filled = route.path
        for name, value in path.items():
            filled = filled.replace(f"{{{name}}}", quote(value, safe=""))
        return Asking(route, filled, [*least, *query])

    def _value(self, parameter: Mapping[str, Any]) -> str | None:
        name, schema = parameter["name"], parameter.get("schema", {})
        if known := self.ids.get(name):
            return self.dice.choice(known)
        kinds = [schema, *schema.get("anyOf", [])]
        for kind in map(self._shown, [*kinds, *(one["items"] for one in kinds if "items" in one)]):
            if "enum" in kind:
                return str(self.dice.choice(kind["enum"]))
            if kind.get("type") == "boolean":
                return "true"
            if kind.get("type") == "string" and "format" not in kind:
                return self.dice.choice(self.lures)
        return None

    def _shown(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        name = schema.get("$ref", "").rpartition("/")[2]
        return self.document["components"]["schemas"][name] if name else schema

    def body(self, schema: Mapping[str, Any]) -> Any:
        """A body that the schema takes, with the least it needs; filled like a query."""
        schema = self._shown(schema)
        for union in ("anyOf", "oneOf", "allOf"):
            if union in schema:
                return self.body(schema[union][0])
        if "const" in schema or "enum" in schema:
            return schema.get("const") or self.dice.choice(schema["enum"])
        match schema.get("type"):
            case "object":
                given = schema.get("properties", {})
                names = [name for name in schema.get("required", given) if name in given]
                return {name: self._word(name) or self.body(given[name]) for name in names}
            case "array":
                return [self.body(schema["items"])]
            case "boolean":
                return False
            case "integer" | "number":
                return schema.get("minimum", 1)
            case _:
                return self.dice.choice(self.lures)[: schema.get("maxLength", 64)]

    def _word(self, name: str) -> str | None:
        return self.dice.choice(self.ids[name]) if self.ids.get(name) else None

    def bodied(self, route: Route) -> Any:
        """A body for the route; None: it takes none."""
        content = route.operation.get("requestBody", {}).get("content", {}).get("application/json")
        return self.body(content["schema"]) if content else None


def text_of(answer: httpx.Response) -> str:
    """Everything an answer says: of an archive, and of a workbook, what is in it."""
    if not answer.content.startswith(b"PK"):
        return answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return "\n".join(archive.read(name).decode("utf-8", "replace") for name in archive.namelist())
