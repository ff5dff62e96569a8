"""XML Schema as a contract of what travels: checked before anything is read, explained by place and expectation."""

import re
from collections.abc import Callable
from typing import Any

from lxml import etree

from adapters.scope import Scope
from adapters.yaml_file import Where
from canonical.errors import ContractViolation

_VALUE = re.compile(r"value '[^']*'|'[^']{0,2000}' is not")
_SHOWN = 3


def read_schema(name: str, scope: Scope, where: Where) -> Callable[[etree._Element], None]:
    """A check that raises ContractViolation. A schema that cannot be read is a finding; nothing outside is loaded."""
    path = scope.folder / "contract" / name if scope.folder else None
    if path is None or not path.resolve().is_relative_to((scope.folder or path).resolve()) or not path.is_file():
        scope.wrong(where, f"contract/{name} is missing")
        return lambda _root: None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        schema = etree.XMLSchema(etree.parse(str(path), parser))
    except (etree.LxmlError, OSError) as error:
        scope.wrong(where, f"contract/{name} is no XML Schema that can be used: {str(error)[:200]}")
        return lambda _root: None
    return lambda root: _check(schema, root)


def _check(schema: Any, root: etree._Element) -> None:  # noqa: ANN401 lxml's own type is not in its stubs
    if schema.validate(root):
        return
    errors = list(schema.error_log)[:_SHOWN]
    # libxml2 quotes what it found: names and expectations may be told, values may not
    told = "; ".join(_VALUE.sub("a value", error.message)[:200] for error in errors)
    raise ContractViolation(f"the XML breaks its schema: {told}", at=errors[0].path if errors else "")
