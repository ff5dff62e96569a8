"""Multipart/related as MTOM sends it: an envelope that points to files in the other parts. One document again.

`<xop:Include href="cid:p1@x"/>` becomes the base64 of the part, as it would have stood there without MTOM.
"""

import base64
from email.message import Message as Part
from urllib.parse import unquote

from lxml import etree

from adapters.mixed import content_of, each_part
from adapters.shape_json import unreadable

MEDIA = "multipart/related"
_INCLUDE = "{http://www.w3.org/2004/08/xop/include}Include"
MOST = 64 * 1024 * 1024
"""Characters that files may become in all: the same one can be pointed to a thousand times."""


def parts_of_related(body: bytes, content_type: str) -> tuple[bytes, dict[str, bytes]]:
    """The envelope, and the files by their content id. Raises Unacceptable (unreadable)."""
    start, found = each_part(body, content_type, lambda part: (_content_id(part), content_of(part)))
    root = next((content for name, content in found if start and name == start), found[0][1])
    return root, {name: content for name, content in found if name}


def include(root: etree._Element, files: dict[str, bytes]) -> None:
    """Put every file where it is pointed to. Raises Unacceptable: a file that did not come."""
    left = MOST
    for node in list(root.iter(_INCLUDE)):
        content = files.get(unquote(node.get("href", "").removeprefix("cid:")))
        holder = node.getparent()
        if content is None or holder is None:
            raise unreadable("the envelope points to a part that did not come with it")
        left -= len(content) * 4 // 3
        if left < 0:
            raise unreadable("parts that are pointed to too often")
        holder.remove(node)
        holder.text = base64.b64encode(content).decode()


def _content_id(part: Part) -> str:
    return str(part.get("content-id", "")).strip("<> ")
