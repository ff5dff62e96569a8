"""Which field of a sample is what: by its name first, then by what its values look like. Every guess says why."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from adapters.field_names import NAMES, meaning
from adapters.sample_document import Leaf, Opened
from adapters.time_pattern import time_pattern
from adapters.value import as_text, empty
from canonical.time import SHANGHAI

PATTERNS = (
    "yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd HH:mm:ss.SSS", "yyyy-MM-dd HH:mm", "yyyy/M/d H:m:s", "yyyy/M/d H:m",
    "yyyyMMddHHmmss", "yyyy'年'M'月'd'日' H:m:s", "yyyy'年'M'月'd'日'H'时'm'分'", "epoch_ms", "epoch_s", "iso",
    "yyyy-MM-dd", "yyyy/M/d", "yyyyMMdd", "yyyy'年'M'月'd'日'",
)  # fmt: skip
"""Ways to write a time, tried in this order; the last four are days."""
DAYS = frozenset(PATTERNS[-4:])
_EPOCH_DIGITS = {"epoch_ms": 13, "epoch_s": 10}
MOBILE = re.compile(r"(?<![0-9])1[3-9][0-9]{9}(?![0-9])")
_PHONE = re.compile(r"[+(（]?[0-9*][0-9*\-()（） ]{5,19}")
_FAMILY = "赵钱孙李周吴郑王冯陈蒋沈韩杨朱秦许何吕张孔曹严华金魏陶姜谢潘葛范彭马方袁柳史唐薛雷贺汤罗毕郝安常于傅顾孟黄萧尹姚邵汪毛戴宋熊纪项董梁杜阮蓝席季贾路江童郭梅林钟徐邱骆高夏蔡田樊胡凌霍万柯卢莫丁邓洪包左石崔龚程邢裴陆翁段侯武刘叶白邹谭申龙黎乔曾沙欧阳"  # noqa: E501
_PERSON = re.compile(rf"[{_FAMILY}][\u4e00-\u9fff*×X]{{1,2}}")
_PAIR = re.compile(r"\s*([0-9]{2,3}\.[0-9]+)\s*[,，\s]\s*([0-9]{2,3}\.[0-9]+)\s*")
_LINK = re.compile(r"(https?://|/)\S+", re.IGNORECASE)
_LONGEST_CODE, _LONGEST_NAME = 40, 20


@dataclass(frozen=True, slots=True)
class Guess:
    """One meaning and the place it was found at."""

    meaning: str
    leaf: Leaf
    why: str
    detail: str = ""
    """Pattern of a time; `swapped`, `pair`, `metres` or `degrees` of coordinates; how attachments are listed."""


def guesses(opened: Opened, now: datetime, without: frozenset[str] = frozenset()) -> dict[str, Guess]:
    """The best place of every meaning, but those in `without`."""
    found: dict[str, Guess] = {}
    for wanted in NAMES:
        if wanted in without:
            continue
        for leaf, why in _by_name(opened, wanted):
            detail = _CHECKS.get(wanted, _any)(opened.values[leaf], now)
            if detail is not None and leaf not in {guess.leaf for guess in found.values()}:
                found[wanted] = Guess(wanted, leaf, why, detail)
                break
    _by_value(opened, found, now, without)
    _coordinates(opened, found)
    return found


def _by_name(opened: Opened, wanted: str) -> list[tuple[Leaf, str]]:
    ranked = []
    for order, leaf in enumerate(opened.values):
        meant = _meant(leaf, opened.values[leaf])
        if meant and meant[0] == wanted:
            ranked.append((leaf.depth, meant[1], order, leaf))
    return [(leaf, "字段名 by its name") for *_, leaf in sorted(ranked, key=lambda one: one[:3])]


def _meant(leaf: Leaf, values: Sequence[Any]) -> tuple[str, int] | None:
    """A field called just `name` is a person's when it reads like one, else a title."""
    meant = meaning(leaf.name)
    if meant and meant[0] == "title" and leaf.name.lower() == "name" and _all(values, _PERSON.fullmatch):
        return "name", meant[1]
    return meant


def reads_like_a_person(text: str) -> bool:
    """True of two or three signs that begin with a family name."""
    return _PERSON.fullmatch(text) is not None


def _by_value(opened: Opened, found: dict[str, Guess], now: datetime, without: frozenset[str]) -> None:
    """What no name told: phones, times, links and texts show what they are."""
    for wanted, check in _LOOKS.items():
        if wanted in found or wanted in without:
            continue
        taken = {guess.leaf for guess in found.values()}
        for leaf, values in opened.values.items():
            detail = check(values, now) if leaf not in taken and meaning(leaf.name) is None else None
            if detail is not None:
                found[wanted] = Guess(wanted, leaf, "值的样子 by its values", detail)
                break


def _coordinates(opened: Opened, found: dict[str, Guess]) -> None:
    """Both numbers or none; their size says degrees or metres, and whether they are swapped."""
    if "x" not in found or "y" not in found or found["x"].detail == "pair":
        if found.get("x") is None or found["x"].detail != "pair":
            found.pop("x", None)
            found.pop("y", None)
        return
    x, y = (_first_number(opened.values[found[axis].leaf]) for axis in ("x", "y"))
    kind = _kind_of(x, y)
    if kind is None and _kind_of(y, x) is not None:
        found["x"], found["y"] = (Guess(axis, found[other].leaf, found[other].why, "swapped") for axis, other in _SWAP)
        kind = _kind_of(y, x)
    if kind is None:
        del found["x"], found["y"]
        return
    found["x"] = Guess("x", found["x"].leaf, found["x"].why, f"{kind} {found['x'].detail}".strip())


_SWAP = (("x", "y"), ("y", "x"))


def _kind_of(x: float, y: float) -> str | None:
    if 73 <= x <= 136 and 3 <= y <= 54:
        return "degrees"
    if 100_000 <= x <= 46_000_000 and 300_000 <= y <= 6_000_000 and (x < 1_000_000 or x > 13_000_000):
        return "metres"
    return None


def _first_number(values: Sequence[Any]) -> float:
    for value in values:
        try:
            number = float(as_text(value))
        except (ValueError, TypeError):
            continue
        if number:
            return number
    return 0.0


# What values must look like


def _texts(values: Sequence[Any]) -> Iterator[str]:
    for value in values:
        if not empty(value) and not isinstance(value, list | dict):
            yield as_text(value).strip()


def _all(values: Sequence[Any], test: Callable[[str], object]) -> bool:
    """True when every value that is not empty passes, and there is one."""
    texts = list(_texts(values))
    return bool(texts) and all(test(text) for text in texts)


def _any(values: Sequence[Any], _now: datetime) -> str | None:
    return "" if not any(isinstance(value, list) for value in values) else None


def _short(values: Sequence[Any], _now: datetime) -> str | None:
    return "" if _all(values, lambda text: len(text) <= _LONGEST_CODE) else None


def _unique(values: Sequence[Any], now: datetime) -> str | None:
    return _short(values, now) if len(set(_texts(values))) == len(values) else None


def _visible(values: Sequence[Any], now: datetime) -> str | None:
    """`unique` when it can stand for an id."""
    return _short(values, now) if _unique(values, now) is None else "unique"


def _phone(values: Sequence[Any], _now: datetime) -> str | None:
    return "" if _all(values, _PHONE.fullmatch) else None


def _mobile(values: Sequence[Any], _now: datetime) -> str | None:
    return "" if _all(values, MOBILE.fullmatch) else None


def _name(values: Sequence[Any], _now: datetime) -> str | None:
    fits = _all(values, lambda text: len(text) <= _LONGEST_NAME and not text.isdigit())
    return "" if fits else None


def _person(values: Sequence[Any], _now: datetime) -> str | None:
    return "" if _all(values, _PERSON.fullmatch) else None


def _number(values: Sequence[Any], _now: datetime) -> str | None:
    if _all(values, _PAIR.fullmatch):
        return "pair"
    return "" if _all(values, lambda text: re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text)) else None


def _pair(values: Sequence[Any], _now: datetime) -> str | None:
    return "pair" if _all(values, _PAIR.fullmatch) else None


def _flag(values: Sequence[Any], _now: datetime) -> str | None:
    return "" if _all(values, lambda text: text in {"0", "1", "true", "false"}) else None


def _past(values: Sequence[Any], now: datetime) -> str | None:
    """The pattern, when every value fits it and lies neither far ahead nor before any such system."""
    return time_of(values, now - timedelta(days=9000), now + timedelta(hours=23))


def _deadline(values: Sequence[Any], now: datetime) -> str | None:
    return time_of(values, now - timedelta(days=9000), now + timedelta(days=4000))


def time_of(values: Sequence[Any], earliest: datetime, latest: datetime) -> str | None:
    """The first pattern that every value fits."""
    texts = list(_texts(values))
    return next((pattern for pattern in PATTERNS if texts and _fits(pattern, texts, earliest, latest)), None)


def _fits(pattern: str, texts: Sequence[str], earliest: datetime, latest: datetime) -> bool:
    parse = time_pattern(pattern, SHANGHAI).parse
    digits = _EPOCH_DIGITS.get(pattern)
    for text in texts:
        if (digits and len(text) != digits) or (pattern == "iso" and "T" not in text):
            return False
        try:
            if not earliest <= parse(text) <= latest:
                return False
        except (ValueError, OverflowError, OSError):
            return False
    return True


def _files(values: Sequence[Any], _now: datetime) -> str | None:
    """How files are listed: `list:<member with the link>`, `list` of links, or `text` with commas."""
    listed = [one for value in values if isinstance(value, list) for one in value]
    if listed and all(isinstance(one, dict) for one in listed):
        names = {name: as_text(value) for name, value in listed[0].items() if not isinstance(value, dict | list)}
        named = (name for name in names if "url" in name.lower() or "path" in name.lower() or "地址" in name)
        link = next(named, None) or next((name for name, value in names.items() if _LINK.fullmatch(value)), None)
        return f"list:{link}" if link else None
    if listed and all(isinstance(one, str) and _LINK.fullmatch(one) for one in listed):
        return "list"
    links = _all(values, lambda text: all(_LINK.fullmatch(part.strip()) for part in text.split(",")))
    return "text" if links else None


_CHECKS: Mapping[str, Callable[[Sequence[Any], datetime], str | None]] = {
    "external_id": _unique, "visible_no": _visible, "x": _number, "y": _number, "reported_at": _past,
    "deadline": _deadline, "name": _name, "phone": _phone, "identity": _short, "urgency": _short, "class": _short,
    "channel": _short, "status": _short, "withheld": _flag, "attachments": _files, "given_area": _short,
}  # fmt: skip
_LOOKS: Mapping[str, Callable[[Sequence[Any], datetime], str | None]] = {
    "phone": _mobile, "name": _person, "reported_at": _past, "x": _pair, "attachments": _files,
}  # fmt: skip
