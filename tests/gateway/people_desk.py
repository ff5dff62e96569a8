"""Accounts for tests, and people who have signed in with them."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from canonical.rights import Role
from gateway.people.accounts import Wanted, make
from storage.people import People
from tests.gateway.running import HubUnderTest

PASSWORD = "Correct-horse-7"
FORM = {"x-gridhub": "console"}


@dataclass(slots=True)
class Desk:
    """People at one hub."""

    hub: HubUnderTest
    stack: ExitStack = field(default_factory=ExitStack)

    def account(self, login: str, role: Role, **limits: Sequence[str]) -> str:
        """A new account; its first password."""

        async def made() -> str:
            wired = self.hub.wired()
            try:
                return await make(wired, Wanted(login, f"示例{login}", role, limits), by="test")
            finally:
                await wired.store.close()

        return asyncio.run(made())

    def person(self, login: str, role: Role, **limits: Sequence[str]) -> httpx.Client:
        """Somebody who has signed in, and changed the first password."""
        client, first = self.client(), self.account(login, role, **limits)
        assert sign_in(client, login, first).status_code == 200
        changed = client.put("/api/session/password", json={"old": first, "new": PASSWORD})
        assert changed.status_code == 200, changed.text
        return client

    def client(self) -> httpx.Client:
        """A browser of its own."""
        client = httpx.Client(base_url=self.hub.url, headers=FORM, timeout=30, trust_env=False)
        return self.stack.enter_context(client)

    def people(self) -> list[Any]:
        """All accounts as the database has them."""

        async def listed() -> list[Any]:
            wired = self.hub.wired()
            try:
                return list(await People(wired.store).listed())
            finally:
                await wired.store.close()

        return asyncio.run(listed())


def sign_in(client: httpx.Client, login: str, password: str, code: str = "") -> httpx.Response:
    """What the hub says."""
    return client.post("/api/session", json={"login": login, "password": password, "code": code})


@pytest.fixture
def desk(hub: HubUnderTest) -> Iterator[Desk]:
    """A hub with its doors open, and nobody known yet."""
    made = Desk(hub)
    with made.stack:
        yield made
