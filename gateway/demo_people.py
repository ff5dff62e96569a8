"""Invented people for the demonstration: one of each role, so that the console can be tried as each of them."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType

from canonical.ids import new_id
from canonical.rights import Role
from gateway.hub import clock
from gateway.people.accounts import fresh_password
from gateway.people.password import digested
from storage.people import People, Person
from storage.store import Store

_LIMITS: Mapping[str, tuple[Role, str, Mapping[str, tuple[str, ...]]]] = MappingProxyType({
    "centre": (Role.CITY_CENTRE, "示例值班长", {}),
    "jinghu": (Role.DISTRICT_CENTRE, "示例区级", {"areas": ("340202",)}),
    "zheshan": (Role.STREET_CENTRE, "示例街道", {"areas": ("340202016",)}),
    "unit": (Role.UNIT, "示例处置", {"units": ("3402-lighting",)}),
    "auditor": (Role.AUDITOR, "示例审计", {}),
    "admin": (Role.ADMINISTRATOR, "示例管理员", {}),
})  # fmt: skip
"""Login to role, name and limits."""
LOGINS = tuple(_LIMITS)


def invite(database_url: str) -> str:
    """Make their accounts; the one password that all of them have."""
    password = fresh_password()
    asyncio.run(_made(database_url, password))
    return password


async def _made(database_url: str, password: str) -> None:
    digest, store, now = await digested(password), Store(database_url, pool=1), clock()
    try:
        for login, (role, name, limits) in _LIMITS.items():
            one = Person(new_id(now), login, name, role, now, password=digest, **limits)  # type: ignore[arg-type]
            await People(store).add(one, by="demo")
    finally:
        await store.close()
