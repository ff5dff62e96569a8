"""A large sheet on paper: 300 units with 20 columns as PDF, beside the same sheet as a workbook in the same process.

python -m tests.bench.paper [--units 300] [--columns 20]
"""

import argparse
import resource
import time
from collections.abc import Callable

from gateway.report.assessment import assessment_document
from gateway.report.document import Document
from gateway.report.pdf import pdf
from gateway.report.workbook import workbook
from tests.report.test_paper import wide_sheet

_ROUNDS = 3


def main() -> None:
    """Best of some rounds each, and the most memory the process had."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--units", type=int, default=300)
    words.add_argument("--columns", type=int, default=20)
    given = words.parse_args()
    document = assessment_document(wide_sheet(given.units, given.columns))
    before = _most()
    book, long = _best(workbook, document)
    between = _most()
    paper, short = _best(pdf, document)
    print(f"{given.units} units, {given.columns} columns: best of {_ROUNDS}")
    print(f"  xlsx {long:6.2f} s {len(book):>9,} bytes  +{between - before} MiB")
    print(f"  pdf  {short:6.2f} s {len(paper):>9,} bytes  +{_most() - between} MiB   x {short / long:.2f} of xlsx")


def _best(write: Callable[[Document], bytes], document: Document) -> tuple[bytes, float]:
    times = []
    for _ in range(_ROUNDS):
        begin = time.perf_counter()
        content = write(document)
        times.append(time.perf_counter() - begin)
    return content, min(times)


def _most() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
