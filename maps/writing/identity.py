"""Ids of features as XML wants them: a code may hold any letters, an `xs:ID` may not."""

import re

_PLAIN = re.compile(r"[A-Za-z_\u4e00-\u9fff][A-Za-z0-9_.\-\u4e00-\u9fff]*")
_STRANGE = re.compile(r"[^A-Za-z0-9_.\-\u4e00-\u9fff]|_(?=x)|^[0-9.\-]")
_WRITTEN = re.compile(r"_x([0-9A-F]{4,6})_")
_LAST = 0x10FFFF


def xml_id(id_: str) -> str:
    """The id where it is a name in XML; else what is not allowed as `_x0020_`."""
    if _PLAIN.fullmatch(id_) and "_x" not in id_:
        return id_
    return _STRANGE.sub(lambda match: f"_x{ord(match[0]):04X}_", id_)


def ids_meant(id_: str) -> tuple[str, ...]:
    """The ids that a client may mean: it has read this one in XML, or elsewhere as it is."""
    read = _WRITTEN.sub(lambda match: chr(code) if (code := int(match[1], 16)) <= _LAST else match[0], id_)
    return (id_,) if read == id_ else (id_, read)
