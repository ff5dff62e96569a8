"""The hub of `case_desk.py`, served to a browser: for the modules whose tests do something to cases."""

from collections.abc import Iterator

import pytest

from tests.console.case_desk import CaseDesk, case_desk
from tests.console.conftest import ConsoleHub, serving
from tests.databases import Databases
from tests.gateway.joint_city import Hours

__all__ = ["console_hub", "desk", "room"]


@pytest.fixture(scope="module")
def room(
    built_console: None, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ConsoleHub, CaseDesk]]:  # fmt: skip
    """One for a module: its tests choose different cases."""
    hours = Hours()
    with serving(databases, tmp_path_factory.mktemp("desk"), now=hours.now) as made:
        yield made, case_desk(made.hub, hours)


@pytest.fixture(scope="module")
def console_hub(room: tuple[ConsoleHub, CaseDesk]) -> ConsoleHub:
    """What `browser` and `opened` look at."""
    return room[0]


@pytest.fixture(scope="module")
def desk(room: tuple[ConsoleHub, CaseDesk]) -> CaseDesk:
    """The cases, by the names of the story."""
    return room[1]
