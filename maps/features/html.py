"""Documents of OGC API - Features as pages for people: nothing but text, tables and links, and no script."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import islice
from typing import Any

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "table{border-collapse:collapse;display:block;overflow-x:auto}th,td{border:1px solid #ccc;padding:.25rem .6rem;"
    "text-align:left;vertical-align:top}th{background:#f3f3f3}nav a{margin-right:1rem}"
)
_MOST_ROWS = 1000


def page(title: str, parts: Iterable[str]) -> bytes:
    """A whole page, UTF-8. The parts are HTML already."""
    head = (
        '<!DOCTYPE html>\n<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>{escape(title)}</title><style>{_STYLE}</style></head><body>'
    )
    return f"{head}<h1>{escape(title)}</h1>{''.join(parts)}</body></html>\n".encode()


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
    """A table; cells are HTML already, heads are text. Long ones are cut and say so."""
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    listed = iter(rows)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in islice(listed, _MOST_ROWS))
    more = "" if next(listed, None) is None else paragraph(f"The first {_MOST_ROWS} are shown.")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def anchor(href: str, text: str) -> str:
    """A link within a cell."""
    return f'<a href="{escape(href)}">{escape(text)}</a>'


def document(title: str, told: Mapping[str, Any]) -> bytes:
    """Any document: its words, its lists as tables, its links."""
    parts = [links(told.get("links", ()))]
    if told.get("description"):
        parts.append(paragraph(str(told["description"])))
    for name, value in told.items():
        if name in ("collections", "properties", "paths"):
            parts.append(_listed(value))
        elif name in ("conformsTo", "crs"):
            parts.append(table([name], ([escape(str(one))] for one in value)))
    return page(title, parts)


def _listed(value: Any) -> str:  # noqa: ANN401 whatever the document holds
    if isinstance(value, Mapping):
        return table(["", ""], ([escape(str(key)), _told(one)] for key, one in value.items()))
    rows = ([anchor(one["links"][0]["href"], one["title"]), escape(one["description"])] for one in value)
    return table(["", ""], rows)


def _told(one: Any) -> str:  # noqa: ANN401
    if "get" in one:
        asked = ", ".join(each["name"] for each in one["get"]["parameters"])
        return f"{escape(one['get']['summary'])}<br/>{escape(asked)}"
    return escape(" ".join(str(one[key]) for key in ("title", "type", "format") if key in one))
