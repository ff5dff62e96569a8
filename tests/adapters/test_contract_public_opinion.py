"""The public opinion monitor: our signed question to its simulated platform, and the articles it lists."""

import asyncio
from datetime import datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from starlette.applications import Starlette

import adapters
from canonical.errors import Unauthenticated
from canonical.message import Message
from canonical.reading import Reading
from canonical.time import SHANGHAI
from simulators.public_opinion import PublicOpinion
from simulators.system import Setup
from tests.adapters.systems import ID, loaded

NOW = datetime(2026, 5, 20, 12, 0, tzinfo=SHANGHAI)


def asked(secret: str) -> tuple[PublicOpinion, Message]:
    system = loaded(adapters.shipped()["public_opinion"], app_key="gridhub", app_secret=secret)
    platform = PublicOpinion(Setup(hub="http://127.0.0.1:9", secret="agreed", quiet=True, clock=lambda: NOW))
    platform.emit(20)
    since, until = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
    ask = system.ask("opinions", since=since, until=until, page=1, now=NOW, id=ID)

    async def answered() -> httpx.Response:
        transport = httpx.ASGITransport(Starlette(routes=platform.routes()))
        async with httpx.AsyncClient(transport=transport, base_url="http://platform") as client:
            return await client.request(ask.method, ask.path, headers=dict(ask.headers))

    got = asyncio.run(answered())
    kind = got.headers["content-type"]
    return platform, Message(system="p", body=got.content, at=NOW, id=ID, content_type=kind, status=got.status_code)


def test_the_platform_takes_our_signature_and_every_article_reads() -> None:
    platform, answer = asked("agreed")
    system = loaded(adapters.shipped()["public_opinion"])
    page = system.page("opinions", answer, now=NOW, ids=uuid4)

    assert (len(page.items), page.total, page.more) == (20, 20, False)
    for item, row in zip(page.items, page.rows, strict=True):
        [reading] = system.read(item)
        assert isinstance(reading, Reading), reading
        assert (reading.report is not None) is (row["sentiment"] == -1)
        assert reading.visible_no == row["id"]
        if reading.report:
            assert (reading.report.title, reading.report.description) == (row["title"], row["content"])
            assert reading.report.urgency == ("urgent" if row["sensitivity"] == 3 else "normal")
            assert reading.report.reported_at == NOW
    assert platform.counts["unauthenticated"] == 0


def test_another_secret_is_told_as_unauthenticated() -> None:
    _, answer = asked("wrong")

    with pytest.raises(Unauthenticated):
        loaded(adapters.shipped()["public_opinion"]).page("opinions", answer, now=NOW, ids=uuid4)
