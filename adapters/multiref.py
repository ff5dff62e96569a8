"""SOAP 1.1, section 5: values beside the operation that it points to, as Axis 1 answers, put in their place.

Before: `<r href="#id0"/>` and, beside the operation, `<multiRef id="id0"><no>7</no></multiRef>`; after:
`<r><no>7</no></r>`.
"""

import copy

from lxml import etree

from adapters.shape_json import unreadable

MOST = 100_000
"""Elements: values that point to values that point to values must not become a burden."""
_ITS_OWN = frozenset({"id", "href"})


def joined(operation: etree._Element) -> etree._Element:
    """The operation with what it points to. Raises Unacceptable: pointing to nothing, in a circle, or a second one."""
    beside = list(operation.itersiblings("*"))
    if not beside:
        return operation
    targets = {one.get("id", ""): one for one in beside}
    if "" in targets:
        raise unreadable("a second operation in the envelope's body")
    left, waiting = MOST, [operation]
    while waiting:
        node = waiting.pop()
        left -= 1
        href = node.get("href", "")
        if href.startswith("#") and not len(node):
            target = targets.get(href[1:])
            if target is None:
                raise unreadable("a href in the envelope that points to nothing")
            left -= _put(node, target)
        if left < 0:
            raise unreadable(f"values that point to each other make more than {MOST} elements")
        waiting.extend(node)
    return operation


def _put(node: etree._Element, target: etree._Element) -> int:
    """What stands at the target, here as well. Returns how many elements that were."""
    del node.attrib["href"]
    for name, value in target.attrib.items():
        if name not in _ITS_OWN and not str(name).startswith("{"):
            node.set(name, value)
    node.text = target.text
    node.extend(copy.deepcopy(child) for child in target)
    return sum(1 for _ in target.iter())
