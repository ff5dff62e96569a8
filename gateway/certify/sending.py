"""What was sent and what came back, as a report may show it: masked, short, and compared without what must differ."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from canonical.message import Message
from gateway.certify.single import readable
from gateway.masking import masked_name
from gateway.trial import shown

_LONGEST = 1600
_RUN = re.compile(r"(\S)\1{39,}")
"""One and the same character, again and again."""
_PARTS = 20
_DIFFERENT = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|\d{4}-\d{2}-\d{2}|\d{2}:\d{2}:\d{2}(?:\.\d+)?|\d{3,}", re.IGNORECASE
)
"""Ids, moments and long numbers: two answers that differ in nothing else say the same."""


_PASSING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|\d{4}-\d{2}-\d{2}|\d{2}:\d{2}:\d{2}(?:\.\d+)?|\d{9,}", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One thing sent, or done, and what came of it."""

    sent: str
    answer: str = ""
    verdict: str = ""
    why: str = ""
    text: str = ""


def masked(message: Message, names: Iterable[str], secrets: Iterable[str]) -> str:
    """A body as a report shows it: no secret, no name, no whole phone number, no more than one can read."""
    body = readable(message.body)[:20_000]
    try:
        told = json.dumps(shown(orjson.loads(message.body), "", plain=False), ensure_ascii=False, indent=1)
    except ValueError:
        told = body
    return veiled(told, names, secrets)


def veiled(text: str, names: Iterable[str], secrets: Iterable[str]) -> str:
    """Any text as a report shows it: the one way by which a message, an answer, a verdict or a reason gets there."""
    text = str(shown(text, "body", plain=False))
    for name in sorted(names, key=len, reverse=True):
        for written in (name, json.dumps(name)[1:-1], quote(name)):
            text = text.replace(written, masked_name(name))
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return cut(text)


def cut(text: str) -> str:
    """The beginning, and how much follows."""
    text = _RUN.sub(lambda run: f"{run[1] * 3}…(×{len(run[0])})", text)
    text = "".join(one if one.isprintable() or one == "\n" else "·" for one in text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} … (+{len(text) - _LONGEST})"


def same(one: str, other: str) -> bool:
    """Whether two answers say the same, their ids and moments aside."""
    return _DIFFERENT.sub("0", one) == _DIFFERENT.sub("0", other)


def alike(one: str, other: str) -> bool:
    """Whether two answers differ in nothing but ids and moments; short numbers, such as codes, must be the same."""
    return _PASSING.sub("0", one) == _PASSING.sub("0", other)


def rows(exchanges: list[Exchange]) -> list[dict[str, Any]]:
    """As JSON; of very many the first ones."""
    return [
        {"sent": one.sent, "answer": one.answer, "verdict": one.verdict, "why": one.why, "text": one.text}
        for one in exchanges[:_PARTS]
    ]
