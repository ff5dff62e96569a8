"""Text folded into lines: Chinese breaks anywhere, but no line begins with what closes; words and numbers hold."""

import re
from collections.abc import Callable, Iterator

from rich.cells import cell_len

from gateway.report.document import printed

_PIECES = re.compile(r"[（《“]*(?:[\x21-\x7e]+|.)[，。；：、）》” ]*", re.DOTALL)
"""What must not be torn apart."""


def folded(
    text: str, width: float, measure: Callable[[str], float] = cell_len, *, tear: bool = False
) -> Iterator[str]:  # fmt: skip
    """Lines of this width, as `measure` has it. `tear`: what alone is wider than a line is torn apart all the same."""
    line = ""
    for piece in _PIECES.findall(printed(text)):
        if line and measure(line) + measure(piece.rstrip()) > width:
            yield line.rstrip()
            line = ""
        line += piece if line else piece.lstrip()
        while tear and len(line) > 1 and measure(line.rstrip()) > width:
            cut = _fitting(line, width, measure)
            yield line[:cut]
            line = line[cut:]
    if line:
        yield line.rstrip()


def _fitting(line: str, width: float, measure: Callable[[str], float]) -> int:
    """How many characters of a line that is too long fit; one at least."""
    cut = len(line) - 1
    while cut > 1 and measure(line[:cut]) > width:
        cut -= 1
    return cut
