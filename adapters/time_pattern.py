"""Times as other systems write them: `yyyy-MM-dd HH:mm:ss`, `yyyy/M/d H:m:s`, `epoch_ms`, `iso`.

A pattern is compiled once into a parser and a formatter. One letter takes one or two digits and writes no padding;
two letters take exactly two digits.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from zoneinfo import ZoneInfo

from canonical.time import SHANGHAI, in_shanghai

_TOKEN = re.compile(r"yyyy|MM?|dd?|HH?|mm?|ss?|SSS|'[^']*'|[^A-Za-z']+|[A-Za-z']")
_FIELDS = {"y": "year", "M": "month", "d": "day", "H": "hour", "m": "minute", "s": "second"}
_WIDTHS = {"yyyy": "[0-9]{4}", "SSS": "[0-9]{3}"}
_DATE = 3
_QUICK: dict[str, tuple[int, str]] = {"yyyy-MM-dd HH:mm:ss": (19, "-- ::"), "yyyy-MM-dd": (10, "--")}
"""Patterns the interpreter reads by itself, four times as fast: length and marks."""
MARKED = "[4:17:3]"
"""Every third character from the fourth on."""
_EPOCHS = {"epoch_ms": 1000, "epoch_s": 1}


@dataclass(frozen=True, slots=True)
class TimePattern:
    """`parse` raises ValueError on any other text; `write` takes an aware datetime."""

    parse: Callable[[str], datetime]
    write: Callable[[datetime], str]
    zone: ZoneInfo | None = None
    length: int = 0
    """Of texts that the interpreter reads by itself; 0: of none."""
    marks: str = ""
    """What stands at MARKED in such a text: that keeps the interpreter's other ISO forms out."""


def time_pattern(pattern: str, zone: ZoneInfo) -> TimePattern:
    """Compile a pattern for local times of `zone`. Raises ValueError that says what is wrong with the pattern."""
    if pattern in _EPOCHS:
        return _epoch(_EPOCHS[pattern], zone)
    if pattern.endswith(("'Z'", "Z")) and pattern not in _QUICK:  # the letter says it: this is no local time
        zone = ZoneInfo("UTC")
    if pattern == "http":
        return TimePattern(_http, lambda at: format_datetime(at.astimezone(UTC), usegmt=True))
    if pattern == "iso":
        return TimePattern(
            lambda text: _aware(datetime.fromisoformat(text), zone), lambda at: _local(at, zone).isoformat()
        )
    expression, order, template = _compiled(pattern)
    match = re.compile(expression).fullmatch
    in_order = order == list(_FIELDS.values())[: len(order)]

    length, marks = _QUICK.get(pattern, (0, ""))

    def parse(text: str) -> datetime:
        if len(text) == length and text[4:17:3] == marks:
            try:
                local = datetime.fromisoformat(text)
                return datetime.combine(local, local.time(), zone)  # a sixth of what replace(tzinfo=zone) costs
            except ValueError:
                pass  # told below, in the pattern's own words
        found = match(text)
        if found is None:
            raise ValueError(f"a time written {pattern} is expected")
        if in_order and len(order) >= _DATE:
            return datetime(*map(int, found.groups()), tzinfo=zone)  # type: ignore[arg-type, misc]
        parts = {"month": 1, "day": 1} | dict(zip(order, map(int, found.groups()), strict=True))
        if "microsecond" in parts:
            parts["microsecond"] *= 1000
        return datetime(**parts, tzinfo=zone)

    def write(at: datetime) -> str:
        local = at.astimezone(zone)
        return template.format(local, millisecond=local.microsecond // 1000)

    return TimePattern(parse, write, zone, length, marks)


def _compiled(pattern: str) -> tuple[str, list[str], str]:
    expression, order, template = "", [], ""
    before = ""
    for symbol in _TOKEN.findall(pattern):
        field = symbol == "SSS" or (symbol[0] in _FIELDS and symbol != "y")
        if field and len(before) == 1 and before in _FIELDS:
            raise ValueError(f"'{before}' takes one or two digits, so that '{symbol}' cannot follow at once")
        before = symbol
        if field:
            name = "microsecond" if symbol == "SSS" else _FIELDS[symbol[0]]
            if name in order:
                raise ValueError(f"'{symbol}' stands twice in the pattern")
            order.append(name)
            width = _WIDTHS.get(symbol, "[0-9]{2}" if len(symbol) > 1 else "[0-9]{1,2}")
            expression += f"({width})"
            template += "{millisecond:03d}" if symbol == "SSS" else f"{{0.{name}:0{len(symbol)}d}}"
        elif (
            symbol.isascii() and symbol.isalpha()
        ) or symbol == "'":  # 年 and 月 are letters too, and stand for themselves
            raise ValueError(
                f"'{symbol}' is not known; write yyyy MM dd HH mm ss SSS, M d H m s, epoch_ms, epoch_s or iso"
            )
        else:
            literal = symbol.strip("'") if symbol.startswith("'") else symbol
            expression += re.escape(literal)
            template += literal.replace("{", "{{").replace("}", "}}")
    if "year" not in order:
        raise ValueError("the pattern has no year (yyyy)")
    return expression, order, template


def _http(text: str) -> datetime:
    """As in the Date header of HTTP (RFC 9110, 5.6.7). Raises ValueError."""
    try:
        return parsedate_to_datetime(text)
    except TypeError:
        raise ValueError("a time written as HTTP does is expected") from None


def _local(at: datetime, zone: ZoneInfo) -> datetime:
    return in_shanghai(at) if zone is SHANGHAI else at.astimezone(zone)


def _aware(at: datetime, zone: ZoneInfo) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=zone)


def _epoch(per_second: int, zone: ZoneInfo) -> TimePattern:
    def parse(text: str) -> datetime:
        if not re.fullmatch(r"[0-9]{1,15}", text):
            raise ValueError("a number of seconds or milliseconds since 1970 is expected")
        return datetime.fromtimestamp(int(text) / per_second, UTC).astimezone(zone)

    return TimePattern(parse, lambda at: str(int(at.timestamp() * per_second)))
