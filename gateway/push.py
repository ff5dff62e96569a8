"""Pushing a file of messages through the bulk door, segment by segment: whatever breaks, it goes on at the first line
that has no verdict. The other end of gateway/bulk.py, for who loads history or tries a platform's messages out.
"""

import gzip
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

import httpx

from canonical.errors import Misconfigured, Unavailable
from canonical.message import ACCEPTED
from gateway.wire import BULK

SEGMENT = 1000
"""Lines of one request: what is sent again, at most, when a connection breaks."""
_PAUSE = 2.0
_GOES_ON = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(slots=True)
class Pushed:
    """How far it came. `line`: the last line that has a verdict."""

    line: int = 0
    accepted: int = 0
    others: Counter[str] = field(default_factory=Counter)
    """Verdict and reason of the lines that were not accepted."""

    def count(self, row: Mapping[str, Any]) -> None:
        """One line's verdict."""
        self.line = max(self.line, int(row["line"]))
        if row["verdict"] in ACCEPTED:
            self.accepted += 1
        else:
            self.others[" ".join(str(row[name]) for name in ("verdict", "why") if row.get(name))] += 1


def lines_of(file: Path) -> Iterator[bytes]:
    """The lines of a file, of a gzipped one, or of standard input when it is called `-`."""
    if str(file) == "-":
        yield from sys.stdin.buffer
        return
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as opened:
        yield from cast("BinaryIO", opened)


def pushed_before(verdicts: Path) -> Pushed:
    """What a file of verdicts says of an earlier run. Raises Misconfigured when it is none."""
    before, whole = Pushed(), 0
    if not verdicts.exists():
        return before
    with verdicts.open("r+b") as kept:
        for number, line in enumerate(kept, 1):
            if not line.endswith(b"\n"):  # half a line: the run ended while it was written
                kept.truncate(whole)
                break
            try:
                before.count(json.loads(line))
            except (ValueError, KeyError, TypeError):
                raise Misconfigured(f"{verdicts}:{number}: no verdict of an earlier push; name another file") from None
            whole += len(line)
    return before


def push(
    url: str, system: str, lines: Iterator[bytes], done: Pushed, *, path: str, headers: Mapping[str, str],
    told: Callable[[bytes], None], progress: Callable[[Pushed], None], patience: float,
) -> Pushed:  # fmt: skip
    """Push what follows the last line that has a verdict. `told`: gets every verdict as it was answered, numbered anew.

    Raises Unavailable when the hub stays away for `patience` seconds, Misconfigured when it does not know the door.
    """
    where = f"{url.rstrip('/')}{BULK}{system}/{path}".rstrip("/")
    numbered = islice(enumerate(lines, 1), done.line, None)
    with httpx.Client(timeout=httpx.Timeout(60, read=300), headers=dict(headers)) as client:
        while segment := list(islice(numbered, SEGMENT)):
            since = time.monotonic()
            while segment:
                before = done.line
                trouble = _segment(client, where, segment, done, told)
                segment = [one for one in segment if one[0] > done.line] if trouble else []
                progress(done)
                if trouble:
                    since = time.monotonic() if done.line > before else since
                    if time.monotonic() - since > patience:
                        raise Unavailable(f"{trouble}; {done.line} lines have their verdicts, push again to go on")
                    time.sleep(_PAUSE)
    return done


def _segment(
    client: httpx.Client, where: str, segment: list[tuple[int, bytes]], done: Pushed, told: Callable[[bytes], None]
) -> str:
    """Push these lines, and count and tell what is answered. What went wrong, when not all of them were answered."""
    first = segment[0][0]
    body = (line if line.endswith(b"\n") else line + b"\n" for _, line in segment)
    try:
        with client.stream("POST", where, content=body, headers={"content-type": "application/x-ndjson"}) as answer:
            if answer.status_code in _GOES_ON:
                return f"the hub answers HTTP {answer.status_code}"
            if answer.status_code != httpx.codes.OK:
                answer.read()
                raise Misconfigured(f"{where}: HTTP {answer.status_code}: {_said(answer)}")
            for text in answer.iter_lines():
                row = json.loads(text)
                if "error" in row:
                    return f"the hub broke off: {row['error'].get('text', '')}"
                row["line"] += first - 1
                done.count(row)
                told(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    except (httpx.HTTPError, ValueError) as error:
        return f"the connection broke ({type(error).__name__})"
    return ""


def _said(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["text"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
