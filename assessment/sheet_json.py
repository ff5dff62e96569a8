"""A sheet as JSON, and back: what is kept of a closed period, and what machines are given."""

import json
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from assessment.sheet import Sheet


def sheet_json(sheet: Sheet) -> str:
    """One line, the same for the same sheet."""
    return json.dumps(plain(sheet), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def plain(sheet: Sheet) -> dict[str, Any]:
    """The sheet as JSON can say it."""
    said: dict[str, Any] = _adapter().dump_python(sheet, mode="json")
    return said


def sheet_from(text: str) -> Sheet:
    """The sheet of such a text."""
    return _adapter().validate_json(text)


@cache
def _adapter() -> TypeAdapter[Sheet]:
    return TypeAdapter(Sheet)
