"""Where the next page is told: links in documents and headers, relay cursors, the last key; declared as data alone."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.gateway.pulling import MESSAGES, PULL, Asked, Desk, Platform, Said, Working, asking, tree

ROWS = [tree(number) for number in range(5)]
HEAD = "direction: ask\ntitle: 下一页\nanswer: plain\n"
LINK = HEAD + "method: GET\npath: {from: pull.cursor, default: '/trees?top=2'}\n"
RELAY = HEAD + (
    "method: POST\npath: /graph\nbody:\n"
    "  query: 'query($first: Int!, $after: String) { trees(first: $first, after: $after) { nodes { no kind } } }'\n"
    "  variables: {first: {from: pull.page_size}, after: {from: pull.cursor}}\n"
)


def odata(asked: Asked) -> Any:
    begin = int(asked.query.get("skip", 0))
    after = {"@odata.nextLink": f"http://{asked.headers['host']}/trees?top=2&skip={begin + 2}"} if begin < 3 else {}
    return {"code": "ok", "rows": ROWS[begin : begin + 2]} | after


def linked(asked: Asked) -> Any:
    begin = int(asked.query.get("skip", 0))
    base = f"http://{asked.headers['host']}/trees?top=2"
    links = [f'<{base}>; rel="first"', *([f'<{base}&skip={begin + 2}>; rel="next"'] if begin < 3 else [])]
    return Said({"code": "ok", "rows": ROWS[begin : begin + 2]}, headers={"link": ", ".join(links)})


def relay(asked: Asked) -> Any:
    after = asked.body["variables"].get("after")
    begin = int(after[1:]) + 1 if after else 0
    nodes = ROWS[begin : begin + 2]
    info = {"endCursor": f"c{begin + len(nodes) - 1}", "hasNextPage": begin + 2 < len(ROWS)}
    return {"code": "ok", "data": {"trees": {"nodes": nodes, "pageInfo": info}}}


def keyset(asked: Asked) -> Any:
    after = asked.query.get("after", "")
    return {"code": "ok", "rows": [row for row in ROWS if row["no"] > after][:2]}


Way = tuple[str, Callable[[Asked], Any], str, str, int]
WAYS: dict[str, Way] = {
    "an absolute link in the document": (
        "/trees", odata, LINK, """    cursor: {from: "'@odata.nextLink'", match: 'https?://[^/]+(/.*)'}\n""", 3,
    ),
    "a link among others in a header": (
        "/trees", linked, LINK,
        """    cursor: {from: $headers.link, match: '.*<https?://[^/>]+([^>]*)>; *rel="?next"?.*'}\n""", 3,
    ),
    "a relay cursor that is there on the last page too": (
        "/graph", relay, RELAY,
        "    cursor: data.trees.pageInfo.endCursor\n    more: data.trees.pageInfo.hasNextPage\n", 3,
    ),
    "the key of the last row": (
        "/trees", keyset, asking("/trees", "after=pull.cursor"),
        "    cursor: {expr: 'doc.rows.size() > 0 ? doc.rows[doc.rows.size() - 1].no : \"\"'}\n", 4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_the_next_page_is_found_wherever_it_is_told_and_the_end_is_seen(
    telling: Working, parks: Platform, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    path, answers, message, more, asked = way
    parks.on[path] = answers
    monkeypatch.setitem(MESSAGES, "list_trees", message)

    async def tell(desk: Desk) -> None:
        await desk.round()
        assert await desk.known() == [row["no"] for row in ROWS]
        assert parks.paths().count(path) == asked
        assert await desk.cursor() == (0, "")

    items = PULL.replace("items: rows", "items: data.trees.nodes") if path == "/graph" else PULL
    telling(tell, items + more)
