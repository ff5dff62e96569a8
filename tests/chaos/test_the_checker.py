"""The campaign's judge is independent, and its schedule is the seed's alone."""

import ast
from pathlib import Path

from tests.chaos.faults import FAULTS, WITH_BUS, schedule

ROOMS = {"canonical", "adapters", "connectors", "routing", "assessment", "storage", "gateway"}
HERE = Path(__file__).parent
APART = ("checker.py", "platform.py", "wire.py", "calls.py", "works.py", "person.py")
"""The judge, the simulated systems and the person: none of them may know the hub's code."""


def imported(path: Path) -> set[str]:
    """Top-level names of what a module imports, and the modules of this folder."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_judge_systems_and_person_import_nothing_of_the_hub() -> None:
    beside = {f"tests.chaos.{Path(name).stem}" for name in APART}
    for name in APART:
        modules = imported(HERE / name)
        assert {module for module in modules if module.partition(".")[0] in ROOMS} == set(), name
        assert {module for module in modules if module.startswith("tests.")} <= beside, name


def test_a_schedule_is_the_seeds_alone_and_holds_every_kind_of_fault() -> None:
    assert schedule(5, 60) == schedule(5, 60)
    assert schedule(5, 60) != schedule(6, 60)
    drawn = schedule(7, 60, bus=True)
    assert {due.kind for due in drawn} == set(FAULTS)
    assert {due.kind for due in schedule(7, 60)} == set(FAULTS) - WITH_BUS
    assert [due.at for due in drawn] == sorted(due.at for due in drawn)
