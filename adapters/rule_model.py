"""What a rule may say. The table in adapters/README.md and the schemas for editors are made from it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from adapters.condition import Conditions
from adapters.sealing import CipherKeys


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class XmlRule(_Part):
    """An XML text inside a value."""

    root: str = Field(description="name of the root element")
    declare: str = Field(default="", description="encoding its declaration states, whatever the envelope's is")
    namespace: str = Field(default="", description="namespace of all elements")
    tree: dict[str, Any] = Field(
        description="elements in order; `@name` an attribute, `#text` the text; `{uri}name` a name of another namespace"
    )


class PairsRule(_Part):
    """`k=v&k=v`: what a signature is made over, or a query."""

    from_: str = Field(default=".", alias="from", description="path to the object")
    without: list[str] = Field(default=[], description="names left out, such as the signature itself")
    order: Literal["sorted", "given"] = "sorted"
    between: str = Field(default="=", description="between name and value")
    glue: str = Field(default="&", description="between pairs")
    skip_empty: bool = True
    encode: Literal["none", "percent"] = "none"


class Rule(_Part):
    """One rule. Steps run in the order of the keys here; an empty value ends in `default`."""

    from_: str | list[str] | None = Field(default=None, alias="from", description="path, or paths: the first not empty")
    secret: str | list[str] | None = Field(default=None, description="name of a secret, or names: the first given")
    text: str | None = Field(default=None, description="template with {path}; empty when every path is empty")
    of: list[Any] | None = Field(default=None, description="several rules, for `join`; empty ones are left out")
    xml: XmlRule | None = Field(default=None, description="an XML document as text")
    pairs: PairsRule | None = Field(default=None, description="`k=v&k=v` of an object, for signatures and queries")
    expr: str | None = Field(default=None, description="an expression (CEL) over doc, such as doc.a + doc.b")
    object_: dict[str, Any] | None = Field(
        default=None, alias="object", description="an object, keys taken as they are"
    )
    if_: Conditions | None = Field(default=None, alias="if", description="else empty")
    unless: Conditions | None = Field(default=None, description="then empty")
    match: str | None = Field(default=None, description="regular expression; its first group, empty when not found")
    decrypt: CipherKeys | None = Field(default=None, description="an encrypted text to bytes, for parse")
    parse: list[Literal["base64", "hex", "gzip", "text", "json", "xml", "query"]] | None = Field(
        default=None, description="what is packed inside the value, unpacked step by step"
    )
    pick: str | None = Field(default=None, description="path inside what was parsed")
    split: str | None = Field(default=None, description="text to list")
    each: Any = Field(default=None, description="what is made of every item of a list; paths begin at the item")
    sort: bool = Field(default=False, description="a list's texts in order, as some signatures want them; secrets too")
    join: str | None = Field(
        default=None, description="list to text; to bytes where some of it is, such as sealed.body or a file's content"
    )
    cut: int | None = Field(default=None, ge=1, description="longest text, in characters")
    ledger: str | None = Field(default=None, description="`ledger.column`: the row of the city's ledger with this key")
    codes: str | dict[str, Any] | None = Field(default=None, description="code table, `table.column`, or rows in place")
    keep: bool = Field(default=False, description="with codes: a code without a row stays as it is (texts only)")
    time: str | list[str] | None = Field(
        default=None, description="pattern of a local time, or patterns: the first that fits"
    )
    zone: str = Field(default="", description="with time: zone of this time alone, such as UTC")
    day: Literal["start", "end"] | None = Field(
        default=None, description="with a pattern without hours: which end of the day is meant"
    )
    as_: Literal["int", "number", "text"] | None = Field(default=None, alias="as", description="type of the value")
    digest: str | None = Field(
        default=None,
        description="md5, sha1, sha256, sha384, sha512, sm3, or hmac- and one of these with `key`; rsa-sha1, "
        "rsa-sha256 with our private key as `key`; or a checksum: crc32, "
        " crc16-modbus, crc16-ccitt, crc16-hj212, sum8, xor8",
    )
    key: str | list[str] | dict[str, Any] | None = Field(
        default=None,
        description="with digest: name of the secret, or a rule that makes the key, as recipes derive theirs",
    )
    output: Literal["hex", "HEX", "base64", "base64url", "bytes"] = Field(
        default="hex", description="with digest: how written; bytes: for a further digest, or as its key"
    )
    charset: str = Field(
        default="",
        description="with digest, encrypt, encode, parse or pairs: charset of the bytes; default: utf-8. `$body` needs"
        " none: it is signed as the bytes that came",
    )
    encrypt: CipherKeys | None = Field(
        default=None, description="the text, or the object as JSON, encrypted; alike values give alike texts"
    )
    encode: Literal["base64", "base64url", "hex", "url", "path", "json"] | None = Field(
        default=None,
        description="the text, encoded; base64url: without padding; path: as url, but / stays; json: an object or list"
        " as JSON text, members in the given order",
    )
    then: Any = Field(default=None, description="a rule for what came of this one; its paths begin there, `.` is it")
    default: Any = Field(default=None, description="value or rule when empty")


SOURCES = ("from", "secret", "text", "of", "xml", "pairs", "expr", "object")
KEYS = frozenset(field.alias or name for name, field in Rule.model_fields.items())
