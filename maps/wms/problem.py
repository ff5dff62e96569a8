"""Service exceptions, as each version of WMS writes them.

They are answered with HTTP 200: clients of WMS read the body, and several (QGIS, ArcGIS) show "server error" otherwise.
"""

from xml.sax.saxutils import escape, quoteattr

from maps.request import Answer, Effort
from maps.wms.version import Version


class Problem(Exception):
    """What is wrong with a request. `code`: one of the standard's (1.3.0, Annex E; 1.1.1, Annex A.3), or empty."""

    def __init__(self, text: str, code: str = "", locator: str = "") -> None:
        super().__init__(text)
        self.code, self.locator = code, locator


def report(problem: Problem, version: Version) -> Answer:
    """The exception as XML."""
    code = f" code={quoteattr(problem.code)}" if problem.code else ""
    locator = f" locator={quoteattr(problem.locator)}" if problem.locator and version.locators else ""
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{version.exception_head}\n'
        f"<ServiceException{code}{locator}>{escape(_plain(str(problem)))}</ServiceException>\n</ServiceExceptionReport>\n"
    )
    return Answer(version.exception_type, body.encode(), effort=Effort(problem=True))


def _plain(text: str) -> str:
    """Without what XML cannot hold."""
    return "".join(letter for letter in text if letter >= " " and not "\ud800" <= letter <= "\udfff")
