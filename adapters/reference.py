"""The reference of the declaration language, made from its models: a page for people, JSON Schemas for editors.

python -m adapters.reference > docs/declaration.md
python -m adapters.reference schemas docs/schema/declaration
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter

from adapters.declaration import SystemDeclaration
from adapters.examples import EXAMPLES
from adapters.message_declaration import InboundDeclaration, OutboundDeclaration
from adapters.outbound import VIEW
from adapters.path import CONTEXT_MEANING
from adapters.reply import REPLY_NAMES
from adapters.rule_model import SOURCES, Rule
from adapters.shape_declaration import WORDS, Step

HEAD = "https://json-schema.org/draft/2020-12/schema"
_SCALARS = ["string", "number", "boolean", "null"]
_TREES = frozenset({"body", "each", "object", "tree"})
"""Members that may be any tree of objects, lists, values and rules."""


def schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema (2020-12) of `system.yaml` and of `messages/*.yaml`, by name."""
    return {
        "system": _schema("system", TypeAdapter(SystemDeclaration)),
        "message": _schema("message", TypeAdapter(InboundDeclaration | OutboundDeclaration)),
    }


def _schema(name: str, adapter: "TypeAdapter[Any]") -> dict[str, Any]:
    made = adapter.json_schema(by_alias=True)
    rule = TypeAdapter(Rule).json_schema(by_alias=True)
    definitions = {**rule.pop("$defs", {}), "Rule": rule, **made.pop("$defs", {})}
    document = {"$schema": HEAD, "$id": f"urn:gridhub:declaration:{name}:1", **made, "$defs": definitions}
    _open_leaves(document)
    _words(definitions)
    definitions["Leaf"] = {"anyOf": [{"type": _SCALARS}, {"$ref": "#/$defs/Rule"}]}
    definitions["Tree"] = {"anyOf": [{"$ref": "#/$defs/Rule"}, {"type": [*_SCALARS, "object", "array"]}]}
    return document


_SAYING = frozenset({"type", "$ref", "anyOf", "allOf", "oneOf", "enum", "const"})


def _open_leaves(schema: Any) -> None:  # noqa: ANN401
    """Members typed Any become rules, so that an editor completes inside them."""
    if isinstance(schema, list):
        for one in schema:
            _open_leaves(one)
    if not isinstance(schema, dict):
        return
    for name, below in schema.get("properties", {}).items():
        if isinstance(below, dict) and not _SAYING & set(below):
            below["$ref"] = "#/$defs/Tree" if name in _TREES else "#/$defs/Leaf"
        elif isinstance(below, dict) and below.get("additionalProperties") is True and name not in _EMPTY_STEPS:
            below["additionalProperties"] = {"$ref": "#/$defs/Tree" if name in _TREES else "#/$defs/Leaf"}
        elif isinstance(below, dict) and below.get("items") == {}:
            below["items"] = {"$ref": "#/$defs/Leaf"}
    for below in schema.values():
        _open_leaves(below)


_EMPTY_STEPS = frozenset({"json", "fields", "query", "text", "base64", "gunzip"})


def _words(definitions: dict[str, Any]) -> None:
    """Shorter ways to write what the models read as objects."""
    if "Step" in definitions:
        definitions["Step"] = {"anyOf": [{"enum": list(WORDS)}, definitions["Step"]]}
        for name in ("SoapStep", "LinesStep"):
            definitions[name] = {"anyOf": [{"type": "string"}, definitions[name]]}
    if "ReplyRow" in definitions:
        verdict = definitions["ReplyRow"]["properties"]["verdict"]
        several = {"anyOf": [verdict.pop("items"), {"enum": ["accepted", "duplicate", "deferred"]}]}
        verdict.pop("type")
        verdict["anyOf"] = [{"type": "array", "items": several}, several]


_INTRODUCTION = """\
Made from the models that read the declarations: `python -m adapters.reference > docs/declaration.md`. How to connect a
platform step by step is told in [connect-your-platform.md](connect-your-platform.md), the principle in
[adapters/README.md](../adapters/README.md). Editors complete keys from the schemas in `schema/declaration/`: begin a
file with `# yaml-language-server: $schema=.../system.schema.json` (or `message.schema.json`).

In the tables, *rule* means a value or a rule; `body`, `each`, `object` and `tree` are trees of objects, lists, values
and rules."""


def page() -> str:
    """docs/declaration.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Declaration reference 声明参考"
    yield ""
    yield from _INTRODUCTION.splitlines()
    for title, model in (("system.yaml", SystemDeclaration), ("messages/*.yaml, direction: in", InboundDeclaration)):
        yield from _chapter(title, model)
    yield from _chapter("messages/*.yaml, direction: out or ask", OutboundDeclaration)
    yield from _chapter("Rules", Rule)
    yield ""
    sources = ", ".join(f"`{name}`" for name in SOURCES)
    yield f"Exactly one of {sources} begins a rule; the other keys work in the order of the table."
    yield from _chapter("Steps from bytes to document", Step)
    yield from _functions()
    yield from _names("Around a document that is read", "Paths that begin with `$`:", CONTEXT_MEANING)
    yield from _views()


def _chapter(title: str, model: type[BaseModel]) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield from _table(model)
    for below in _models(model, {model}):
        yield ""
        yield f"### {below.__name__}"
        yield from _table(below)


def _models(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    """Models that stand inside, in order, each told once on the whole page."""
    for field in model.model_fields.values():
        for inner in _inside(field.annotation):
            if inner not in seen and inner not in _ELSEWHERE:
                seen.add(inner)
                yield inner
                yield from _models(inner, seen)


_ELSEWHERE: frozenset[type[BaseModel]] = frozenset({Step, Rule})


def _inside(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        if argument is not Ellipsis:
            yield from _inside(argument)


def _table(model: type[BaseModel]) -> Iterator[str]:
    about = (model.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
    yield ""
    yield about
    yield ""
    yield "| key | what | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for name, field in model.model_fields.items():
        meaning = (field.description or "").replace("|", "\\|")
        default = "**needed**" if field.is_required() else _default(field.get_default(call_default_factory=True))
        yield f"| `{field.alias or name}` | {_kind(field.annotation)} | {default} | {meaning} |"


def _default(value: object) -> str:
    if value in (None, "", (), {}, []) or isinstance(value, BaseModel):
        return ""
    if isinstance(value, tuple | list):
        return "`[" + ", ".join(map(str, value)) + "]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


_NAMES: Mapping[Any, str] = {str: "text", int: "number", float: "number", bool: "yes/no", Any: "rule", NoneType: ""}


def _kind(annotation: Any) -> str:  # noqa: ANN401
    """A type in the words of the page."""
    if annotation in _NAMES:
        return _NAMES[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(kind for kind in map(_kind, arguments) if kind))
    if origin is dict:
        return f"{_kind(arguments[0]) or 'name'} to {_kind(arguments[1])}"
    if origin in (tuple, list):
        return f"list of {_kind(arguments[0])}"
    if annotation in _ELSEWHERE:
        return "[step](#steps-from-bytes-to-document)"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return getattr(annotation, "__name__", "value").lower()


def _functions() -> Iterator[str]:
    yield ""
    yield "## Functions of expressions"
    yield ""
    yield "An expression is [CEL](https://cel.dev) over `doc`. What it sees may hold lists of 1,000 items in all when"
    yield "it walks one (`map`, `filter`, `exists`, `all`), 100 when a walk stands inside a walk, 20 when three do;"
    yield "longer ones are refused, and taken apart by `items` instead. Maps come with their members sorted by name:"
    yield "where the other side wants its own order, `each` writes an object of them. Beside CEL's own operators and"
    yield "macros it has:"
    yield ""
    yield "| expression | of | gives |"
    yield "| --- | --- | --- |"
    for source, document, value in EXAMPLES:
        given, made = (json.dumps(one, ensure_ascii=False) for one in (document, value))
        yield f"| `{source.replace('|', chr(92) + '|')}` | `{given}` | `{made}` |"
    yield "| `code('kinds', doc.kind)` | | what `codes/kinds.csv` has for it; without a row: quarantine |"
    yield "| `device('devices', doc.id, 'limit')` | | the column of that row of a ledger, empty without a row |"


def _names(title: str, about: str, names: Mapping[str, str]) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    yield about
    yield ""
    yield "| name | meaning |"
    yield "| --- | --- |"
    yield from (f"| `{name}` | {meaning} |" for name, meaning in names.items())


def _views() -> Iterator[str]:
    yield ""
    yield "## What outbound rules may use"
    yield ""
    for name, below in VIEW.items():
        inner = ", ".join(f"`{name}.{key}`" for key in below if key not in {"*", "[]"})
        yield f"* `{name}`" + (f": {inner}" if inner else (": any name below" if below else ""))
    yield ""
    yield "`before` has the names that the message itself declares. The `content` (bytes), `media` and `size` of files"
    yield "are read from the hub's store where a rule uses one of them; a file that is not there is then left out of"
    yield "its list. Bytes travel with `encode: base64`, as a file `{name, media, content}` of a multipart form, or as"
    yield "`format: bytes`."
    yield ""
    yield "`case.reference` is what the other side must hand back as our number (`reference` of what it tells us):"
    yield "it names the case and the round. `case.no` is for people."
    yield ""
    yield "What the body of a reply may use: " + ", ".join(f"`{name}`" for name in REPLY_NAMES) + "."
    yield "`outcomes` has one entry for each message, in their order: " + ", ".join(
        f"`{name}`" for name in REPLY_NAMES["outcomes"]["[]"]
    )
    yield "(`accepted` is the text `yes` or `no`)."


def write(folder: Path) -> list[Path]:
    """Write the schemas; the paths written."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, schema in schemas().items():
        path = folder / f"{name}.schema.json"
        path.write_text(json.dumps(schema, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        paths.append(path)
    return paths


if __name__ == "__main__":
    if sys.argv[1:2] == ["schemas"]:
        sys.stdout.write("".join(f"{path}\n" for path in write(Path(sys.argv[2]))))
    else:
        sys.stdout.write(page())
