"""What stands inside the elements of a WSDL: members in the order of their schema, arrays once, recursion bounded."""

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

_XSD = "{http://www.w3.org/2001/XMLSchema}"
_DEEPEST = 8
_GROUPS = frozenset({f"{_XSD}sequence", f"{_XSD}all", f"{_XSD}complexContent", f"{_XSD}complexType"})
_TEXT, _ATTRIBUTE = f"{_XSD}simpleContent", f"{_XSD}attribute"

_NAMED = {f"{_XSD}group": ("group", "ref"), f"{_XSD}extension": ("complexType", "base")}
"""What takes in something that is declared elsewhere: its kind, and where its name stands."""


@dataclass(frozen=True, slots=True)
class Member:
    """One element, attribute (`@name`) or text beside attributes (`#text`), and what stands in it."""

    name: str
    many: bool = False
    members: tuple["Member", ...] = ()
    """Empty: a single value, or one that cannot be looked into any further."""


def members_of(root: etree._Element, element: etree._Element) -> tuple[Member, ...]:
    """The members of a declared element, or of a message part with a type."""
    return tuple(_inside(root, element, ()))


def element_named(root: etree._Element, user: etree._Element, name: str) -> etree._Element | None:
    """The element declared at the top of a schema under the name `user` calls it by."""
    return _declared(root, user, name, "element")


def _declared(root: etree._Element, user: etree._Element, name: str, kind: str) -> etree._Element | None:
    """In the namespace that is meant; where a prefix leads nowhere, by its name alone."""
    prefix, _, local = name.rpartition(":")
    namespace = user.nsmap.get(prefix or None)
    found = [
        (schema.get("targetNamespace"), one)
        for schema in root.iter(f"{_XSD}schema")
        for one in schema.findall(f"{_XSD}{kind}")
        if one.get("name") == local
    ]
    exact = next((one for where, one in found if where == namespace), None)
    return exact if exact is not None else next((one for _, one in found), None)


def _inside(root: etree._Element, element: etree._Element, above: tuple[etree._Element, ...]) -> Iterator[Member]:
    holder = element.find(f"{_XSD}complexType")
    if holder is None and (typed := element.get("type")):
        holder = _declared(root, element, typed, "complexType")
    if holder is None or holder in above or len(above) >= _DEEPEST:
        return
    yield from _of_group(root, holder, (*above, holder))


def _of_group(root: etree._Element, group: etree._Element, above: tuple[etree._Element, ...]) -> Iterator[Member]:
    for child in group:
        if child.tag == f"{_XSD}element":
            yield _member(root, child, above)
        elif child.tag == _ATTRIBUTE and child.get("name") and child.get("use") != "prohibited":
            yield Member(f"@{child.get('name')}")
        elif child.tag == _TEXT:
            yield Member("#text")
            yield from _of_group(root, child, above)
        elif child.tag in _GROUPS:
            yield from _of_group(root, child, above)
        elif child.tag == f"{_XSD}choice":  # one of them: the first
            yield from list(_of_group(root, child, above))[:1]
        elif child.tag in _NAMED:
            kind, key = _NAMED[child.tag]
            base = _declared(root, child, child.get(key, ""), kind)
            if base is not None and base not in above:
                yield from _of_group(root, base, (*above, base))
            yield from _of_group(root, child, above)


def _member(root: etree._Element, element: etree._Element, above: tuple[etree._Element, ...]) -> Member:
    many, ref = element.get("maxOccurs", "1") not in {"0", "1"}, element.get("ref", "")
    named = _declared(root, element, ref, "element") if ref else element
    if named is None:
        return Member(ref.rpartition(":")[2], many)
    return Member(named.get("name", ""), many, tuple(_inside(root, named, above)))
