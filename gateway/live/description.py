"""/api/live in OpenAPI's words: it is served ahead of FastAPI."""

from typing import Any

from canonical.rights import Right

_EXAMPLE = """\
retry: 3000

event: hello
data: {"at":"2026-03-16T09:12:33+08:00","version":"0.1.0","person":{"login":"operator-7"},"resumed":false}
id: 91827:91830:

event: moved
data: {"no":"3402202603160000001","seq":4,"stage":"handling","stage_title":"处置中","action":"sign","title":"签收",\
"at":"2026-03-16T09:12:34+08:00","source":"hotline_12345","owner":"urban_management","unit":"YJ-ZM","area":"340202",\
"class_code":"30428.2:E04-06"}
id: 91831:91831:

event: beat
data: {"at":"2026-03-16T09:12:48+08:00","looked_at":"2026-03-16T09:12:47+08:00"}
id: 91831:91831:

"""
_SAID = """\
`hello` comes first. `moved`: something happened to a case in the scope. `systems`: the traffic of a platform changed.
`alarm`: a person must look. Of systems hears who has the right `watch`. `figures`: the cockpit's, where there are any.
`beat`: every 15 seconds. `trouble`: the database does not answer, or does again (`over`). `reset`: load anew.
`ended`: sign in again. Unknown events are to be passed over."""
_ERRORS = {
    "401": "not signed in", "403": "without the right `see`", "405": "not GET",
    "503": "as many listen as may, or the database is away: `retry-after`",
}  # fmt: skip


def live_operation() -> dict[str, Any]:
    """The operation."""
    given = "the `id` of the last event that was heard: nothing after it is missed, or a `reset` says so"
    return {
        "summary": "What happens, as it happens: server-sent events", "description": _SAID,
        "x-right": [Right.SEE], "x-whole-city": False,
        "parameters": [
            {
                "name": "Last-Event-ID", "in": "header", "required": False, "description": f"{given}; browsers send it",
                "schema": {"type": "string"},
            },
            {
                "name": "after", "in": "query", "required": False, "description": f"{given}; the header counts more",
                "schema": {"type": "string"},
            },
        ],
        "responses": {
            "200": {
                "description": "events, until one side ends it",
                "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
            }
        }
        | {status: {"description": told} for status, told in _ERRORS.items()},
    }  # fmt: skip
