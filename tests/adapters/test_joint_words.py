"""What a platform says of a called unit's part 吹哨联动, in words of its own that a declaration reads."""

import shutil
from pathlib import Path

import pytest

import adapters
from adapters.samples import inbound_samples
from canonical.errors import Misconfigured
from canonical.lifecycle import ActionKind, Party
from canonical.reading import Reading
from tests.adapters.systems import loaded

PLAIN = '"3":\n      kinds: {owner: dispose, lead_system: close}'


def with_words(tmp_path: Path, kinds: str) -> Path:
    """The shipped platform with other meanings of its last status."""
    folder = tmp_path / "social_governance"
    shutil.copytree(adapters.shipped()["social_governance"], folder)
    record = folder / "messages" / "record.yaml"
    before = record.read_text(encoding="utf-8")
    assert PLAIN in before
    record.write_text(before.replace(PLAIN, f'"3":\n      kinds: {kinds}'), encoding="utf-8")
    return folder


def test_a_status_means_one_thing_of_a_case_and_another_of_a_called_units_part(tmp_path: Path) -> None:
    folder = with_words(tmp_path, "{owner: dispose, joint: answer}")
    [done] = [one for one in inbound_samples(folder) if "records.done" in one.path.name]

    [reading] = loaded(folder).read(done.message("s"))

    assert isinstance(reading, Reading)
    assert reading.action is not None
    assert reading.action.kinds == {Party.OWNER: ActionKind.DISPOSE, Party.JOINT: ActionKind.ANSWER}


def test_an_action_that_its_part_never_does_is_found_with_what_it_does(tmp_path: Path) -> None:
    folder = with_words(tmp_path, "{owner: dispose, joint: close}")

    with pytest.raises(Misconfigured, match="close is not for who has the part joint in a case; that does: answer,"):
        loaded(folder)
