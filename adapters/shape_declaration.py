"""The steps from bytes to a document, as they are declared."""

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from adapters.sealing import CipherKeys

WORDS = ("json", "ndjson", "xml", "text", "hex", "fields", "query", "base64", "gunzip", "zip", "csv", "xlsx")
"""Steps that may stand as a word, with all their defaults."""


_FILL_DOWN = "columns whose empty cells mean the same as the cell above, as merged cells are kept"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class XmlStep(_Part):
    """How XML is read."""

    lists: tuple[str, ...] = Field(default=(), description="elements that are lists even when there is one")
    or_text: bool = Field(default=False, description="what is no XML becomes {text: ...}")
    xsd: str = Field(default="", description="XML Schema below contract/ that the document must keep")


class SoapStep(_Part):
    """A SOAP envelope; the operation's name may stand alone."""

    element: str | tuple[str, ...] = Field(
        description="name of the operation's element; or names, where several come to one address: each then stands"
        " in the document under its name"
    )
    version: Literal["1.1", "1.2"] = Field(default="1.1", description="what it speaks; either one is read")
    lists: tuple[str, ...] = Field(default=(), description="elements that are lists even when there is one")

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:  # noqa: ANN401
        return {"element": value} if isinstance(value, str) else value


class _Table(_Part):
    """What ends a table, and what its cells leave out."""

    trailer: int = Field(default=0, ge=0, le=100, description="rows at the end that are none, such as a count of them")
    count: str = Field(
        default="",
        description="regular expression over those rows (cells joined by `,`) whose group is the number of rows there"
        " must be; else the file was cut off, and is refused",
    )

    @model_validator(mode="after")
    def _counted(self) -> "_Table":
        if not self.count:
            return self
        if not self.trailer:
            raise ValueError("count is read from the trailer: add trailer: 1")
        try:
            groups = re.compile(self.count).groups
        except re.error as error:
            raise ValueError(f"count: not a regular expression: {error}") from None
        if groups != 1:
            raise ValueError("count: exactly one group (...) is expected")
        return self


class CsvStep(_Table):
    """A CSV file to a list of rows."""

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    charset: str = Field(default="", description="default: the system's; auto: UTF-8, else GB18030")
    header: tuple[str, ...] = Field(default=(), description="column names, when the file has no header line")
    header_row: int = Field(default=1, ge=1, description="the row of the header; what stands before is passed over")
    fill_down: tuple[str, ...] = Field(default=(), description=_FILL_DOWN)


class LinesStep(_Table):
    """Lines to objects; the regular expression may stand alone."""

    pattern: str = Field(description="regular expression of a whole line; its named groups are the members")
    header: int = Field(default=0, ge=0, description="lines at the beginning that are none")

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:  # noqa: ANN401
        return {"pattern": value} if isinstance(value, str) else value


class XlsxStep(_Table):
    """An Excel workbook to a list of rows."""

    sheet: str = Field(default="", description="default: the first one; with * or ?: all that fit, one after another")
    header_row: int = Field(default=1, ge=1)
    fill_down: tuple[str, ...] = Field(default=(), description=_FILL_DOWN)


class ZipStep(_Part):
    """A zip archive; the steps that follow are done to each member."""

    match: str = Field(default="*", description="which members, as *.csv")


class EnclosedStep(_Part):
    """Files of the archive that its rows or documents name: photos beside a table. Stands after what reads it."""

    path: str = Field(description="where the names stand; lists on the way are walked through")
    as_: str = Field(
        default="",
        alias="as",
        description="name of the list beside it: {name, content} of each file, content in base64; of a file that is not"
        " there {name, url}, so that it is shown as missing. Default: its own name",
    )
    split: str = Field(default="", description="what stands between several names in one text")


class InsideStep(_Part):
    """Unpacks one member where it stands: base64 JSON in JSON, XML in a form's field, XML in a part."""

    path: str = Field(description="path to the member, a text; a missing or empty one stays as it is")
    as_: str = Field(
        default="",
        alias="as",
        description="name beside it that it gets; default: its own, so that the packed text is gone",
    )
    shape: tuple["Step", ...] = Field(min_length=1, description="steps from its text to what stands there instead")


class Step(_Part):
    """One step from bytes to document; exactly one key."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    json_: dict[str, Any] | None = Field(default=None, alias="json", description="JSON to document")
    xml: XmlStep | None = Field(default=None, description="XML (bytes or text) to {root: content}")
    soap: SoapStep | None = Field(default=None, description="SOAP envelope to the children of this operation element")
    form: str | None = Field(default=None, description="the text of this part of a multipart or urlencoded form")
    fields: dict[str, Any] | None = Field(
        default=None, description="all fields of a form; a file is {name, media, content}"
    )
    query: dict[str, Any] | None = Field(default=None, description="the query string as document")
    pick: str | None = Field(default=None, description="one value inside, by path")
    text: dict[str, Any] | None = Field(default=None, description="text to {text: ...}")
    hex: dict[str, Any] | None = Field(default=None, description="bytes that are no text to {hex: ...}, for binary()")
    base64: dict[str, Any] | None = Field(default=None, description="base64 to bytes")
    gunzip: dict[str, Any] | None = Field(default=None, description="gzip to bytes")
    zip: ZipStep | None = Field(default=None, description="archive to its members")
    csv: CsvStep | None = Field(default=None, description="CSV to a list of rows")
    xlsx: XlsxStep | None = Field(default=None, description="Excel to a list of rows")
    ndjson: dict[str, Any] | None = Field(default=None, description="a JSON document in every line, to a list")
    lines: LinesStep | None = Field(
        default=None, description="lines to objects, by a regular expression's named groups"
    )
    enclosed: EnclosedStep | None = Field(default=None, description="the archive's files that are named in it")
    inside: InsideStep | None = Field(default=None, description="one member unpacked where it stands")
    decrypt: CipherKeys | None = Field(default=None, description="encrypted text to bytes")

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, str) and value in WORDS:
            return {value: {}}
        names = [field.alias or name for name, field in cls.model_fields.items()]
        if isinstance(value, str) or (isinstance(value, dict) and len(value) != 1):
            raise ValueError(f"one of {', '.join(names)} is expected")
        return value

    @property
    def given(self) -> tuple[str, Any]:
        """Name and value of the one key."""
        return next(
            (field.alias or name, value)
            for name, field in type(self).model_fields.items()
            if (value := getattr(self, name)) is not None
        )

    @property
    def packed(self) -> bool:
        """True when what begins like JSON need not be JSON."""
        return self.given[0] in {
            "decrypt",
            "base64",
            "gunzip",
            "zip",
            "xlsx",
            "query",
            "lines",
            "text",
            "hex",
            "ndjson",
        }


InsideStep.model_rebuild()
