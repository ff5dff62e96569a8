"""Documents of OGC API - Features as pages for people: nothing but text, tables and links, and no script.

What the pages say of themselves is said in Chinese and in English, as the layers do.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from maps.request import Answer
from maps.table import Field

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "table{border-collapse:collapse;display:block;overflow-x:auto}th,td{border:1px solid #ccc;padding:.25rem .6rem;"
    "text-align:left;vertical-align:top}th{background:#f3f3f3}nav a{margin-right:1rem}"
)
MOST_ROWS = 1000
"""Features of one page: browsers draw longer tables slowly. The rest stand behind the link to the next page."""
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
"""What people wrote may look like a script, and an address may hold a token."""
_HEADS: Mapping[str, tuple[str, str]] = {
    "collections": ("图层 collection", "说明 description"), "properties": ("字段 column", "说明 description"),
    "paths": ("地址 path", "说明 description"),
}  # fmt: skip
_LISTS: Mapping[str, str] = {"conformsTo": "符合 conforms to", "crs": "坐标系 CRS"}


def page(title: str, parts: Iterable[str]) -> Answer:
    """A whole page. The parts are HTML already."""
    head = (
        '<!DOCTYPE html>\n<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>{escape(title)}</title><style>{_STYLE}</style></head><body>'
    )
    body = f"{head}<h1>{escape(title)}</h1>{''.join(parts)}</body></html>\n".encode()
    return Answer("text/html; charset=utf-8", body, headers=HEADERS)


def links(listed: Iterable[Mapping[str, str]]) -> str:
    """Links in a row."""
    made = (
        f'<a rel="{escape(one["rel"])}" href="{escape(one["href"])}">{escape(one.get("title") or one["rel"])}'
        f" ({escape(one.get('type', '').partition(';')[0])})</a>"
        for one in listed
    )
    return f"<nav>{' '.join(made)}</nav>"


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{escape(text)}</p>"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are HTML already, heads are text."""
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def head_of(field: Field) -> str:
    """A column by its title, and by the name that parameters and filters have for it."""
    return f"{field.title} {field.name}"


def anchor(href: str, text: str) -> str:
    """A link within a cell."""
    return f'<a href="{escape(href)}">{escape(text)}</a>'


def document(title: str, told: Mapping[str, Any]) -> Answer:
    """Any document: its words, its lists as tables, its links."""
    parts = [links(told.get("links", ()))]
    if told.get("description"):
        parts.append(paragraph(str(told["description"])))
    for name, value in told.items():
        if name in _HEADS:
            parts.append(_listed(value, _HEADS[name]))
        elif name in _LISTS:
            parts.append(table([_LISTS[name]], ([escape(str(one))] for one in value)))
    return page(title, parts)


def _listed(value: Any, heads: Sequence[str]) -> str:  # noqa: ANN401 whatever the document holds
    if isinstance(value, Mapping):
        return table(heads, ([escape(str(key)), _told(one)] for key, one in value.items()))
    rows = ([anchor(one["links"][0]["href"], one["title"]), escape(one["description"])] for one in value)
    return table(heads, rows)


def _told(one: Any) -> str:  # noqa: ANN401
    if "get" in one:
        asked = ", ".join(each["name"] for each in one["get"]["parameters"])
        return f"{escape(one['get']['summary'])}<br/>{escape(asked)}"
    return escape(" ".join(str(one[key]) for key in ("title", "type", "format") if key in one))
