"""XML of a server that nobody vouches for: parsed without DTD, entities or network, and bounded. Pure."""

from typing import Any

from lxml import etree

from canonical.errors import ContractViolation, Why

MOST = 20 * 1024 * 1024
"""Bytes of one document. The largest capabilities of real cities are about 3 MB."""
SHOWN = 200
"""Characters of what another server says that are shown."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_UTF8 = b"\xef\xbb\xbf"
_EXCEPTIONS = frozenset({"ServiceExceptionReport", "ExceptionReport", "ServiceException"})


def parsed(body: bytes) -> etree._Element:
    """The document's root. Raises ContractViolation: too large, no XML, or with entities of its own."""
    if len(body) > MOST:
        raise ContractViolation(f"larger than {MOST // 1048576} MB, which is more than is read", why=Why.TOO_LARGE)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(_unmarked(body), parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        what = "an HTML page, not XML" if looks_like_html(body) else f"not XML: {_line(str(error))}"
        raise ContractViolation(what, why=Why.UNREADABLE) from None
    if local(root).lower() == "html":
        raise ContractViolation("an HTML page, not XML", why=Why.UNREADABLE)
    subset: Any = root.getroottree().docinfo.internalDTD
    if (subset is not None and subset.entities()) or next(root.iter(etree.Entity), None) is not None:
        raise ContractViolation("XML with entities of its own, which is not read", why=Why.UNREADABLE)
    return root


def without_doctype(root: etree._Element) -> bytes:
    """The document alone: whoever reads it next finds no DTD to follow."""
    return etree.tostring(root)


def local(root: etree._Element) -> str:
    """The element's name without its namespace."""
    return etree.QName(root).localname


def exception_in(body: bytes) -> str:
    """What an OGC exception says, uncut; empty when the body is none. The words are the other server's."""
    if len(body) > MOST or b"Exception" not in body:
        return ""
    try:
        root = parsed(body)
    except ContractViolation:
        return ""
    if local(root) not in _EXCEPTIONS:
        return ""
    codes = [one.get("code") or one.get("exceptionCode") or "" for one in root.iter(etree.Element)]
    words = " ".join(" ".join(str(text).split()) for text in root.itertext() if str(text).strip())
    return " ".join([*filter(None, codes[:3]), words]) or "without words"


def looks_like_html(body: bytes) -> bool:
    """True for a page meant for people."""
    start = body[:512].lstrip().lower()
    return start.startswith(b"<!doctype html") or b"<html" in start


def _unmarked(body: bytes) -> bytes:
    """Without a byte order mark that the bytes after it give the lie."""
    for mark in _UTF16:
        if body.startswith(mark) and body[2:3].isascii() and b"\0" not in body[2:6]:
            return body[2:]
    return body.removeprefix(_UTF8).lstrip()


def _line(text: str) -> str:
    return " ".join(text.split())[:SHOWN]
