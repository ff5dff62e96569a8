"""The city's identity provider for tests: npm's oidc-provider on the loopback, and a hub that knows it."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.people.file import GroupFile, ProviderFile
from tests.gateway.running import HubUnderTest

ROOT = Path(__file__).parents[2]
GROUPS: tuple[Mapping[str, Any], ...] = (
    {"group": "centre", "role": "city_centre"},
    {"group": "jinghu", "role": "district_centre", "areas": ["340202"]},
)


@dataclass
class IdentityProvider:
    """One that runs."""

    issuer: str
    secret: str = field(repr=False)
    faults: Sequence[str]
    process: subprocess.Popen[str] = field(repr=False)

    def told(self, **what: Any) -> None:
        """`fault`: of its tokens from now on; `people`: claims by login."""
        httpx.post(f"{self.issuer}/_told", json=what, trust_env=False).raise_for_status()

    def end(self) -> None:
        """It is away."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)


@contextmanager
def provider(hub_url: str, id_: str = "city") -> Iterator[IdentityProvider]:
    """A provider that knows the hub at this address. Skips where Node or the console's packages are missing."""
    node = shutil.which("node")
    if node is None or not (ROOT / "console" / "node_modules" / "oidc-provider").exists():
        pytest.skip("not installed: node, or the packages of console/ (make console)")
    command = [node, str(ROOT / "tests/gateway/oidc_provider.mjs"), str(ROOT / "console"), back_of(hub_url, id_)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        made = IdentityProvider(**json.loads(process.stdout.readline()), process=process)
        try:
            yield made
        finally:
            made.end()


def back_of(hub_url: str, id_: str = "city") -> str:
    """Where the provider sends browsers back to."""
    return f"{hub_url}/api/sign-in/{id_}/back"


def known_to(hub: HubUnderTest, there: IdentityProvider, *, groups: bool = True, **more: Any) -> None:
    """The hub, before its doors are open, gets the provider into its people.yaml."""
    told = ProviderFile(
        title="示例统一认证", issuer=there.issuer, client_id="gridhub", client_secret=there.secret,
        groups=[GroupFile(**one) for one in GROUPS] if groups else [], **more,
    )  # fmt: skip
    people = replace(hub.configuration.people, providers={"city": told})
    hub.configuration = replace(hub.configuration, people=people)


Browse = Callable[[], httpx.Client]
"""A browser of its own, that follows no redirect by itself."""


@contextmanager
def browsers() -> Iterator[Browse]:
    """As many as are wanted; all are closed afterwards."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(httpx.Client(timeout=30, trust_env=False))


def gone(client: httpx.Client, hub_url: str, *, then: str = "") -> str:
    """To the provider; the address of its page."""
    asked = client.get(f"{hub_url}/api/sign-in/city", params={"then": then} if then else {})
    assert asked.status_code == 303, asked.text
    page = client.get(asked.headers["location"])
    assert page.status_code in {302, 303}, page.text
    return str(httpx.URL(asked.headers["location"]).join(page.headers["location"]))


def came_back(client: httpx.Client, page: str, who: str) -> str:
    """Says who one is at the provider's page; the address by which it sends the browser back to the hub."""
    answer = client.post(page, data={"who": who})
    where = page
    while "/api/sign-in/" not in (following := str(httpx.URL(where).join(answer.headers["location"]))):
        where, answer = following, client.get(following)
        assert answer.status_code in {302, 303}, answer.text
    return following


def through(client: httpx.Client, hub_url: str, who: str, *, then: str = "") -> httpx.Response:
    """The whole way; the hub's answer at its end."""
    return client.get(came_back(client, gone(client, hub_url, then=then), who))
