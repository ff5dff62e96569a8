"""What a platform is told of an action it has no message for is a message that can be written of that action too."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.samples import ID, NOW, outbound_of, outbound_samples
from canonical.lifecycle import ActionKind
from routing.book import AMOUNTS_TO
from routing.joint import AS_OWNER
from tests.adapters.systems import FOLDERS, loaded

STAND_INS = [(kind, party, party, instead) for (kind, party), instead in AMOUNTS_TO.items()]
STAND_INS += [(kind, "joint", "owner", instead) for kind, instead in AS_OWNER.items()]
"""Action, what the system is to the case, under which part its message is looked up, and of which action that is."""


def stand_ins() -> Iterator[tuple[Path, ActionKind, str]]:
    """Folder, action, and the message of another action that tells it there."""
    for folder in FOLDERS:
        role = loaded(folder).role
        for kind, party, part, instead in STAND_INS:
            own = kind in role.tells.get(party, {}) or kind in role.unsupported.get(party, {})
            message = role.tells.get(part, {}).get(instead)
            if message is not None and not own:
                yield folder, kind, message


@pytest.mark.parametrize(
    ("folder", "kind", "message"), sorted(set(stand_ins())), ids=lambda one: getattr(one, "name", one)
)
def test_a_message_that_stands_in_for_another_can_be_written(folder: Path, kind: ActionKind, message: str) -> None:
    samples = (json.loads(path.read_text(encoding="utf-8")) for path in outbound_samples(folder))
    given = next(one["given"] for one in samples if one["message"] == message)
    given["action"] |= {"kind": kind, "reason": "因故", "result": "已了结"}

    assert loaded(folder).write(outbound_of(message, given), now=NOW, id=ID, session="-", before={})
