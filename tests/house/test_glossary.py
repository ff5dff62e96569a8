"""Every value people meet stands in the glossary, with the Chinese term the code shows for it."""

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import pytest

from canonical.action import SUPERVISION_TITLES, Completion, Supervision
from canonical.case import Queue
from canonical.clock import CLOCK_TITLES, Clock
from canonical.errors import Why
from canonical.lifecycle import BY_ACTION, STAGE_TITLES, ActionKind, Party, Stage
from canonical.message import Verdict
from canonical.organisation import Post
from canonical.place import PlaceMethod
from canonical.reconciliation import CLASS_TITLES, LineClass
from canonical.records import DeliveryState, What
from canonical.rights import ROLE_TITLES, Right, Role
from canonical.time import LimitUnit
from gateway.board.card import WHAT_TITLES
from gateway.board.state import TITLES as TITLES_OF_STATES
from gateway.board.state import State
from gateway.demo_view import QUEUE_TITLES
from gateway.duty import POST_TITLES
from gateway.reconciliation.repair import REPAIR_TITLES, Repair
from storage.viewings import Viewed

GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"
VALUES: Mapping[str, type[StrEnum]] = {
    "Stages": Stage,
    "Actions": ActionKind,
    "Parties": Party,
    "Posts": Post,
    "Verdicts": Verdict,
    "Reasons": Why,
    "Queues": Queue,
    "Delivery states": DeliveryState,
    "Lines of a statement": LineClass,
    "Repairs of a difference": Repair,
    "Ways to a place": PlaceMethod,
    "Units of limits": LimitUnit,
    "Clocks": Clock,
    "Supervision": Supervision,
    "Completion": Completion,
    "Switches": What,
    "States of a system": State,
    "Roles": Role,
    "Rights": Right,
    "Looks at personal data": Viewed,
}
TITLES: Mapping[str, Mapping[str, str]] = {
    "Stages": {stage.value: title for stage, title in STAGE_TITLES.items()},
    "Actions": {action.value: row.title for action, row in BY_ACTION.items()},
    "Lines of a statement": {one.value: title for one, title in CLASS_TITLES.items()},
    "Repairs of a difference": {one.value: title for one, title in REPAIR_TITLES.items()},
    "Posts": {post.value: title for post, title in POST_TITLES.items()},
    "Clocks": {clock.value: title for clock, title in CLOCK_TITLES.items()},
    "Supervision": {one.value: title for one, title in SUPERVISION_TITLES.items()},
    "Queues": {queue.value: title for queue, title in QUEUE_TITLES.items()},
    "Switches": {what.value: title for what, title in WHAT_TITLES.items()},
    "States of a system": {state.value: title for state, title in TITLES_OF_STATES.items()},
    "Roles": {role.value: title for role, title in ROLE_TITLES.items()},
}


def rows(section: str) -> list[tuple[str, str]]:
    """(word, Chinese term) of each row of a section's table."""
    parts = GLOSSARY.read_text(encoding="utf-8").split("\n## ")
    [part] = [part for part in parts if part.partition("\n")[0] == section]
    lines = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("| ")]
    return [(cells[0].strip().strip("`"), cells[1].strip()) for cells in lines[2:]]


@pytest.mark.parametrize("section", VALUES)
def test_a_section_holds_the_values_of_the_code_each_once(section: str) -> None:
    assert sorted(word for word, _ in rows(section)) == sorted(VALUES[section])


@pytest.mark.parametrize("section", TITLES)
def test_a_chinese_term_is_the_one_the_code_shows(section: str) -> None:
    assert dict(rows(section)) == TITLES[section]


@pytest.mark.parametrize("section", ["Words that carry the design", "Words of the plumbing"])
def test_each_word_stands_once_and_has_its_chinese_term(section: str) -> None:
    words = [word for word, _ in rows(section)]

    assert len(words) == len(set(words))
    assert [word for word, term in rows(section) if not re.search(r"[\u4e00-\u9fff]", term)] == []
