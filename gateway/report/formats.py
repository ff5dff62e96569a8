"""The formats a report comes in: one table, and one way to write any document in any of them."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from canonical.errors import Unacceptable
from gateway.report.document import Document
from gateway.report.page import page
from gateway.report.pdf import pdf
from gateway.report.rows_file import rows_file
from gateway.report.workbook import workbook


class Format(StrEnum):
    """How a report is written."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"
    HTML = "html"
    PDF = "pdf"


MEDIA = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv; charset=utf-8",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Format.HTML: "text/html; charset=utf-8",
    Format.PDF: "application/pdf",
}


class Report(NamedTuple):
    """What is to be told: as a value for machines, as a document for people."""

    kind: str
    """Name of its JSON schema."""
    value: Any
    document: Document


def written_as(report: Report, form: Format) -> bytes:
    """The report as the bytes of a file."""
    if form is Format.JSON:
        return json_of(report)
    if form is Format.CSV:
        return rows_file(report.document)
    if form is Format.PDF:
        return pdf(report.document)
    return workbook(report.document) if form is Format.XLSX else page(report.document).encode()


def json_of(report: Report) -> bytes:
    """The value itself, under the name of its schema. What is no number is null."""
    value = TypeAdapter(type(report.value)).dump_python(report.value, mode="json")
    told = {"$schema": schema_name(report.kind), **value}
    return (json.dumps(_finite(told), ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode(errors="replace")


def schema_name(kind: str) -> str:
    """How the schema of such a report is called."""
    return f"urn:gridhub:{kind}:1"


def accepted(accept: str) -> Format:
    """The first format that an Accept header names; JSON where it names none of ours. Raises Unacceptable where it
    names others only.
    """
    asked = [one.partition(";")[0].strip().lower() for one in accept.split(",") if one.strip()]
    for media in asked:
        for form, ours in MEDIA.items():
            if media == ours.partition(";")[0]:
                return form
    if not asked or any(media in _ANY for media in asked):
        return Format.JSON
    there = ", ".join(media.partition(";")[0] for media in MEDIA.values())
    raise Unacceptable(f"no report comes as 没有这种格式 {accept[:80]}; there are 可用: {there}", at="accept")


_ANY = frozenset({"*/*", "application/*"})


def _finite(value: Any) -> Any:  # noqa: ANN401 whatever JSON can say
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list) else value
