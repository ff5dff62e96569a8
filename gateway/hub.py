"""Wiring: one object that knows the parts. Everything is chosen here and nowhere else."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from canonical.ids import new_id
from canonical.time import SHANGHAI
from gateway.configuration import Configuration, ConnectedSystem, load
from gateway.fetching import Fetching
from gateway.reception import Reception
from gateway.settings import Settings
from storage.casebook import Casebook
from storage.journal import Journal
from storage.outbox import Outbox
from storage.store import Store


def clock() -> datetime:
    """The wall clock, in Asia/Shanghai."""
    return datetime.now(SHANGHAI)


def fresh_id() -> UUID:
    """A new identifier, made now."""
    return new_id(clock())


@dataclass(frozen=True, slots=True)
class Hub:
    """The parts of one process."""

    settings: Settings
    configuration: Configuration
    store: Store
    reception: Reception
    outbox: Outbox
    journal: Journal
    casebook: Casebook
    fetching: Fetching
    now: Callable[[], datetime]
    ids: Callable[[], UUID]

    @property
    def connected(self) -> Iterator[tuple[str, ConnectedSystem]]:
        """Systems that messages go to: with an address, and not paused."""
        return ((name, one) for name, one in self.configuration.systems.items() if one.url and not one.paused)


def wire(settings: Settings, database_url: str, *, configuration: Configuration | None = None) -> Hub:
    """A hub on this database. Raises Misconfigured with all findings of the configuration folder."""
    configuration = configuration or load(settings.config, settings.environment)
    store = Store(database_url)
    return Hub(
        settings=settings,
        configuration=configuration,
        store=store,
        reception=Reception(configuration, store, now=clock, ids=fresh_id),
        outbox=Outbox(store),
        journal=Journal(store),
        casebook=Casebook(store),
        fetching=Fetching(store),
        now=clock,
        ids=fresh_id,
    )
