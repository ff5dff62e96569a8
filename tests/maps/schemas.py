"""Schemas of OGC for checking documents without a network. They come in MapProxy's wheel, whose code is not run."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from lxml import etree


def faults(document: bytes, schema: str) -> list[str]:
    """What the schema has against the document: `wms/1.3.0/capabilities_1_3_0.xsd`, or a DTD by its own name."""
    known = _schema(schema)
    known.validate(etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True)))
    return str(known.error_log).splitlines()


@cache
def _schema(name: str) -> etree.XMLSchema | etree.DTD:
    path = _folder() / name
    assert path.exists(), name
    return etree.DTD(str(path)) if path.suffix == ".dtd" else etree.XMLSchema(etree.parse(path))


def _folder() -> Path:
    found = find_spec("mapproxy")
    assert found is not None
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0]) / "test" / "schemas"
