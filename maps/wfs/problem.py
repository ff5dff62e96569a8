"""Exceptions of WFS 2.0 (OWS Common 1.1), with the HTTP status of its Table D.2."""

from xml.sax.saxutils import escape, quoteattr

from maps.request import Answer
from maps.writing.gml import legal

_STATUS = {"NotFound": 404, "OperationProcessingFailed": 403}


class Problem(Exception):
    """What is wrong with a request. `code`: one of Table D.2; `locator`: the parameter."""

    def __init__(self, text: str, code: str = "InvalidParameterValue", locator: str = "") -> None:
        super().__init__(text)
        self.code, self.locator = code, locator


def report(problem: Problem) -> Answer:
    """The exception as XML."""
    locator = f" locator={quoteattr(legal(problem.locator))}" if problem.locator else ""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ows:ExceptionReport xmlns:ows="http://www.opengis.net/ows/1.1" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" version="2.0.0" xsi:schemaLocation='
        '"http://www.opengis.net/ows/1.1 http://schemas.opengis.net/ows/1.1.0/owsExceptionReport.xsd">'
        f'<ows:Exception exceptionCode="{problem.code}"{locator}><ows:ExceptionText>{escape(legal(str(problem)))}'
        "</ows:ExceptionText></ows:Exception></ows:ExceptionReport>\n"
    )
    return Answer("application/xml", body.encode(), status=_STATUS.get(problem.code, 400))
