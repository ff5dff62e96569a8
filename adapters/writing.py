"""Documents as bytes: forms, files, texts, and what an outbound message is made of."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

from adapters.charset import written
from adapters.value import as_text

Part = tuple[str, str, bytes, str]
"""(name, file name or empty, content, media type or empty)."""


def written_file(name: str, media: str, content: bytes) -> dict[str, str]:
    """A file inside a document: {name, media, content: base64}."""
    return {"name": name, "media": media, "content": base64.b64encode(content).decode()}


def multipart_body(part: str, text: bytes, boundary: str, charset: str) -> tuple[bytes, str]:
    """(body, content type) of a form with the one text part."""
    return multipart([(part, "", text, "")], boundary, charset)


def multipart(parts: Iterable[Part], boundary: str, charset: str) -> tuple[bytes, str]:
    """(body, content type) of a form with these parts, in order."""
    given = list(parts)
    while any(boundary.encode() in content for _, _, content, _ in given):
        boundary += "0"
    body = b""
    for name, filename, content, media in given:
        said = f'; filename="{_quoted(filename)}"' if filename else ""
        kind = _line(media) or ("application/octet-stream" if filename else f"text/plain; charset={charset.upper()}")
        body += (
            written(
                f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"{said}\r\n'
                f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {'binary' if filename else '8bit'}\r\n\r\n",
                charset,
            )
            + content
            + b"\r\n"
        )
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def fields_body(document: Mapping[str, Any], charset: str) -> bytes:
    """A urlencoded form; an object or list inside travels as JSON text."""
    pairs = (f"{percent(name, charset)}={percent(_field(value), charset)}" for name, value in document.items())
    return "&".join(pairs).encode()


def percent(text: str, charset: str, *, space: str = "+") -> str:
    """The text for a form or a query. Of a sign that is not ASCII every byte is escaped, also one that is a letter as
    the second of GBK: most readers put only what stands as %XX%XX together again."""
    plain = quote_plus if space == "+" else quote
    if charset == "utf-8" or text.isascii():
        return plain(text, safe="")
    signs = (plain(one, safe="") if one.isascii() else _escaped(written(one, charset)) for one in text)
    return "".join(signs)


def _escaped(data: bytes) -> str:
    return "".join(f"%{byte:02X}" for byte in data)


def fields_parts(document: Mapping[str, Any], charset: str) -> list[Part]:
    """The parts of a multipart form; `{name, media, content}` is a file, and with the name null no file.

    Its content is base64, or bytes.
    """
    parts: list[Part] = []
    for name, value in document.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict) and "content" in one:
                given = one["content"]
                content = given if isinstance(given, bytes) else base64.b64decode(as_text(given))
                parts.append((name, _file_name(one, name), content, as_text(one.get("media"))))
            else:
                parts.append((name, "", written(_field(one), charset), ""))
    return parts


def _file_name(file: Mapping[str, Any], part: str) -> str:
    """A file without a name, as many come, is called as its part."""
    given = file.get("name", "")
    return "" if given is None else as_text(given) or part


def urlencoded_body(part: str, text: bytes) -> bytes:
    """A urlencoded form with the one field."""
    return urlencode({part: text}).encode()


def csv_body(rows: Iterable[Mapping[str, Any]], charset: str) -> bytes:
    """Rows as CSV with a header line and CRLF."""
    import csv
    import io

    given = list(rows)
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(given[0] if given else [])
    writer.writerows([[as_text(value) for value in row.values()] for row in given])
    return written(out.getvalue(), charset)


def _field(value: object) -> str:
    import orjson

    return orjson.dumps(value).decode() if isinstance(value, dict | list) else as_text(value)


def _quoted(name: str) -> str:
    return _line(name).replace("\\", "\\\\").replace('"', '\\"')


def _line(text: str) -> str:
    return text.replace("\r", "").replace("\n", "")
