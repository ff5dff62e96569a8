"""The crosswalk between the two editions of the class list."""

import csv
from pathlib import Path

import pytest

from canonical.codes import ClassCode, crosswalk, in_edition_2026


def reference(shared: Path, edition: str) -> dict[str, str]:
    """Written code to name of every non-local class of an edition."""
    with (shared / "reference" / "catalog.csv").open(encoding="utf-8") as file:
        return {
            f"{edition}:{row['kind'][0].upper()}{row['major_code']}-{row['minor_code']}": row["minor_name"]
            for row in csv.DictReader(file)
            if edition in row["source"] and "LOCAL" not in row["source"]
        }


def test_every_class_of_the_old_edition_is_in_the_crosswalk(shared: Path) -> None:
    old = {str(one.old): one.old_name for one in crosswalk().values()}

    assert old == reference(shared, "30428.2")


def test_every_counterpart_is_a_class_of_the_new_edition(shared: Path) -> None:
    new = {str(one.new): one.new_name for one in crosswalk().values() if one.new}

    assert new.items() <= reference(shared, "47678.5").items()


def test_a_class_stands_in_the_file_once() -> None:
    path = Path(__file__).parents[2] / "canonical" / "crosswalk.csv"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]

    assert len(lines) - 1 == len(crosswalk())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("30428.2:P01-01", "47678.5:P01-001"),
        ("30428.2:P02-19", "47678.5:P02-019"),
        ("30428.2:P05-04", None),
        ("30428.2:P05-06", "47678.5:P01-069"),
        ("30428.2:P05-07", "47678.5:P01-070"),
        ("30428.2:P05-08", "47678.5:P01-071"),
        ("30428.2:E01-10", "47678.5:E06-010"),
        ("30428.2:E01-31", None),
        ("30428.2:E02-05", None),
        ("30428.2:E03-11", "47678.5:E08-011"),
        ("30428.2:E04-05", "47678.5:E09-005"),
        ("30428.2:E05-01", None),
        ("30428.2:E05-07", "47678.5:E10-001"),
        ("30428.2:E05-08", "47678.5:E10-002"),
        ("30428.2:E06-02", "47678.5:E09-013"),
    ],
)
def test_a_class_of_2013_has_its_counterpart_of_2026_or_none(old: str, new: str | None) -> None:
    assert in_edition_2026(ClassCode.parse(old)) == (ClassCode.parse(new) if new else None)


def test_a_class_without_counterpart_says_what_a_person_has_to_decide() -> None:
    assert all(one.note for one in crosswalk().values() if one.new is None)
