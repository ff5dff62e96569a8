"""A code table without the row that a message needs: what a platform's new code looks like before anybody added it."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import adapters
from canonical.errors import Misconfigured, Unacceptable, Why
from canonical.message import Message
from gateway.certify.bench import Bench
from gateway.certify.change import NoSuchThing
from gateway.certify.material import Play

_WORD = re.compile(r"[^\W_]+")


def without_row(bench: Bench, play: Play, message: Message) -> Callable[[], None]:
    """Take a row out of the private folder so that the message cannot be read; gives what puts it back.

    Raises NoSuchThing when every code of the sample has a default.
    """
    body = message.body.decode("utf-8", "replace")
    raws = {str(value) for one in play.fields for _, value in one.raw}
    for path in sorted(bench.declared_folder.glob("codes/*.csv")):
        text = path.read_text(encoding="utf-8")
        left = "\n".join(_left(text, raws, body)) + "\n"
        if left == text:
            continue
        path.write_text(left, encoding="utf-8")
        if _unmapped(bench, message):
            return partial(_put_back, path, text)
        path.write_text(text, encoding="utf-8")
    raise NoSuchThing("样例里没有查对照表的代码 | no code of the sample is looked up in a table")


def _put_back(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _left(text: str, raws: set[str], body: str) -> Iterator[str]:
    """The table's lines without those whose code stands in the message, whole or in parts."""
    for line in text.splitlines():
        code = line.split(",")[0].strip('"')
        words = _WORD.findall(code)
        there = code in raws or (len(words) > 1 and all(word in body for word in words))
        if line.startswith(("#", "local,", "canonical,")) or not there:
            yield line


def _unmapped(bench: Bench, message: Message) -> bool:
    try:
        system = adapters.load(bench.declared_folder, bench.secrets, name=bench.name)
    except Misconfigured:
        return False
    return any(isinstance(one, Unacceptable) and one.why is Why.UNMAPPED_CODE for one in system.read(message))
