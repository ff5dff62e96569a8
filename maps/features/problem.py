"""What is wrong with a request of OGC API - Features, as a problem document (RFC 9457)."""

from http import HTTPStatus

import orjson

from maps.request import Answer

TYPE = "application/problem+json"


class Problem(Exception):
    """The text says what to do; `status` is HTTP's."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


def report(problem: Problem) -> Answer:
    """The problem document."""
    told = {"title": HTTPStatus(problem.status).phrase, "status": problem.status, "detail": str(problem)}
    headers = {"allow": "GET, HEAD"} if problem.status == HTTPStatus.METHOD_NOT_ALLOWED else {}
    return Answer(TYPE, orjson.dumps(told), status=problem.status, headers=headers)
