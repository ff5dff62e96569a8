"""A hub beside platforms that can be asked, list, or do neither: statements made at any moment, over real sockets."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import adapters
from canonical.errors import HubError
from gateway.configuration import Configuration, ConnectedSystem
from gateway.hub import Hub, clock
from gateway.reconciliation.repair import Done, Repair, Repairer
from gateway.reconciliation.run import Reconciler
from gateway.session import Session
from gateway.wiring import connector_for
from gateway.work import Role
from storage.differences import Difference, Differences
from storage.statements import Statement, Statements
from tests.gateway.running import SECRET, HubUnderTest, Side, until

_T = TypeVar("_T")

ASKED, LISTING = "urban_management", "work_safety"
"""Names of the systems here: an Open311 server in the place of urban management, and the work safety platform."""
LATER = timedelta(hours=1)
"""Beyond the settle time of both."""


def with_platforms(configuration: Configuration, **changes: Any) -> Configuration:
    """The example city with an Open311 server as the owner of lamps, and a work safety platform as a source.

    `changes`: of the `reconcile` of both, such as pause=0.01.
    """
    folders = adapters.shipped()
    asked = adapters.load(folders["open311_client"], {"api_key": SECRET}, name=ASKED)
    listing = adapters.load(folders["work_safety"], {"account": "hub", "password": SECRET}, name=LISTING)
    systems = dict(configuration.systems)
    for name, system in ((ASKED, asked), (LISTING, listing)):
        assert system.reconciling is not None
        plan = replace(system.reconciling, declared=system.reconciling.declared.model_copy(update=changes))
        systems[name] = ConnectedSystem(
            system=replace(system, reconciling=plan), url="http://127.0.0.1:9", every=0.3, concurrency=2, paused=False
        )
    roles = dict(configuration.city.systems) | {ASKED: asked.role, LISTING: listing.role}
    return Configuration(replace(configuration.city, systems=roles), systems)


@dataclass
class Bench:
    """One hub, and what is compared with it."""

    hub: HubUnderTest
    sides: Mapping[str, Side] = field(default_factory=dict)

    def run(self, work: Callable[[Hub], Coroutine[Any, Any, _T]], *, now: Callable[[], datetime] = clock) -> _T:
        """Some work with a hub of its own, at that time."""

        async def done() -> _T:
            hub = replace(self.hub.wired(), now=now)
            try:
                return await work(hub)
            finally:
                await hub.store.close()

        return asyncio.run(done())

    def statement(self, name: str, *, after: timedelta = timedelta()) -> Statement:
        """A statement that is ordered and finished, as much later than now."""

        async def work(hub: Hub) -> Statement:
            with reconciler(hub, name) as one:
                id_ = await one.order("示例操作员")
                await finished(one, id_)
                made = await one.statements.get(id_)
                assert made is not None
                return made

        made = self.run(work, now=lambda: clock() + after)
        assert made.balances, made
        return made

    def counts(self, name: str, *, after: timedelta = timedelta()) -> dict[str, int]:
        """Lines by class of a new statement."""
        return {key: lines for key, (lines, _, _) in self.statement(name, after=after).counts.items()}

    def differences(self, name: str, state: str = "open") -> list[Difference]:
        """Of one system, by state."""
        return self.run(lambda hub: Differences(hub.store).find(system=name, state=state))

    def difference(self, name: str, state: str = "open") -> Difference:
        """The only one."""
        [one] = self.differences(name, state)
        return one

    def repair(self, difference: Difference, how: Repair, *, after: timedelta = timedelta()) -> Done:
        """Repair it, as much later than now."""
        work = lambda hub: Repairer(hub).repair(difference.id, how, actor="示例操作员", reason="对账")  # noqa: E731
        return self.run(work, now=lambda: clock() + after)

    def refused(self, difference: Difference, how: Repair) -> str:
        """Why a repair is not done."""
        try:
            self.repair(difference, how)
        except HubError as error:
            return str(error)
        raise AssertionError("it was done")

    def sign_off(self, difference: Difference) -> Done:
        """Accept it as it is."""
        return self.run(lambda hub: Repairer(hub).sign_off(difference.id, actor="示例操作员", reason="已电话核实"))

    def lines(self, statement: Statement) -> list[dict[str, Any]]:
        """What it says besides that both agree."""
        return self.run(lambda hub: Statements(hub.store).lines(statement.id))

    def working(self, *roles: Role) -> None:
        """Start a worker with these roles."""
        self.hub.start_worker(frozenset(roles))

    def lose(self, name: str, id_: str) -> None:
        """The system forgets an item."""
        assert self.sides[name].client.post("/_sim/lose", json={"id": id_}).status_code == 200

    def change(self, name: str, id_: str, state: str) -> None:
        """The system changes an item and tells nobody."""
        assert self.sides[name].client.post("/_sim/change", json={"id": id_, "state": state}).status_code == 200

    def items(self, name: str) -> list[dict[str, str]]:
        """What the system has."""
        found: list[dict[str, str]] = self.sides[name].client.get("/_sim/items").json()
        return found

    def dispatched(self, number: str) -> str:
        """The id an owner has given the case, once it has."""

        def bound() -> list[dict[str, Any]]:
            return [b for b in self.hub.case(number)["bindings"] if b["role"] == "owner" and b["round"]]

        until(bound, what=f"the owner's id of {number}")
        return str(bound()[0]["external_id"])


@contextmanager
def reconciler(hub: Hub, name: str) -> Iterator[Reconciler]:
    """The comparison of one system, with a connection of its own where it is asked."""
    connected = hub.configuration.systems[name]
    assert connected.system.reconciling is not None
    with ExitStack() as stack:
        session = None
        if connected.system.reconciling.declared.by != "told":
            connector = connector_for(hub, connected)
            stack.callback(connector.close)
            session = Session(connected.system, connector, hub)
        yield Reconciler(hub, connected, session)


async def finished(one: Reconciler, id_: UUID, *, rounds: int = 1000) -> None:
    """Work until this statement is finished."""
    for _ in range(rounds):
        await one.round()
        made = await one.statements.get(id_)
        if made is not None and made.finished_at is not None:
            return
    raise AssertionError("the statement was not finished")
