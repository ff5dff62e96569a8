"""Files that a message points to, or holds: as links, as lists of links in one text, or as base64 in pieces."""

import hashlib
from dataclasses import replace
from typing import Any

from adapters.filling import text_rule
from adapters.inlined import Every, Filled
from adapters.message_declaration import AttachmentFields
from adapters.path import ANYTHING, Get
from adapters.rule import compile_rule, item_names
from adapters.scope import Scope
from adapters.value import as_list, empty
from adapters.yaml_file import Where
from canonical.errors import ContractViolation

AttachmentsDeclared = AttachmentFields | tuple[AttachmentFields, ...]


def compile_attachments(declared: AttachmentsDeclared, scope: Scope, where: Where) -> Get:
    """Document to the fields of its attachments, in order; items without link and content are left out."""
    if isinstance(declared, tuple):
        several = [_one(one, scope, (*where, index)) for index, one in enumerate(declared)]
        return lambda document: tuple(attachment for get in several for attachment in get(document))
    return _one(declared, scope, where)


def _one(declared: AttachmentFields, scope: Scope, where: Where) -> Get:
    if isinstance(declared.from_, str):
        many, names = scope.path(declared.from_, (*where, "from")), item_names(declared.from_, scope)
        scope.note((*where, "from"), {"from": declared.from_}, many)
    else:
        many, names = compile_rule(declared.from_, scope, (*where, "from")), ANYTHING
    inside = replace(scope, names=names, leaves=None)
    if declared.url is None and declared.content is None:
        scope.wrong(where, "url or content is expected")
    texts = {
        field: text_rule(node, inside, (*where, field))
        for field, node in (
            ("url", declared.url), ("name", declared.name), ("id", declared.id_), ("part", declared.part),
        )
        if node is not None
    }  # fmt: skip
    if declared.content is None:
        return Every(many, Filled(texts), "url")  # by reference only: most messages have no others
    content = compile_rule(declared.content, inside, (*where, "content"))

    def get(document: object) -> tuple[dict[str, Any], ...]:
        made = (
            _made({name: one(item) for name, one in texts.items()}, content(item)) for item in as_list(many(document))
        )
        return tuple(attachment for attachment in made if attachment)

    return get


def _made(fields: dict[str, Any], content: object) -> dict[str, Any] | None:
    part = fields.pop("part", None)
    given = {name: value for name, value in fields.items() if value}
    if not empty(content):
        if not isinstance(content, bytes):
            raise ContractViolation("the content of a file is no bytes: add parse: [base64]", at="attachments.content")
        given |= {"content": content, "url": _inline(content, part, given.get("id", ""))}
    return given if "url" in given else None


def _inline(content: bytes, part: str | None, file_id: str) -> str:
    """`inline:sha256:<hex>`, or `inline:part:<id>:<number>/<how many>` for one piece of several."""
    if not part:
        return f"inline:sha256:{hashlib.sha256(content).hexdigest()}"
    number, _, whole = part.partition("/")
    if not (file_id and number.isdigit() and whole.isdigit() and 0 < int(number) <= int(whole) <= MOST_PARTS):
        raise ContractViolation("a piece of a file needs its id and part as 1/3", at="attachments.part")
    return f"inline:part:{file_id}:{number}/{whole}"


MOST_PARTS = 1000
