"""A simulated system's book is all that a killed one keeps: what belongs together is there whole or not at all."""

import os
from pathlib import Path

import pytest

from simulators.ledger import Ledger, lines


def test_lines_of_one_decision_are_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes, write = list[bytes](), os.write

    def counted(file: int, data: bytes) -> int:
        writes.append(data)
        return write(file, data)

    monkeypatch.setattr(os, "write", counted)
    ledger = Ledger(tmp_path / "book")
    with ledger.together():
        ledger.write("task", id="1")
        assert writes == []
        ledger.write("will_say", id="1")
    ledger.write("said", id="1")

    assert len(writes) == 2
    assert [(line["n"], line["what"]) for line in lines(ledger.path)] == [(1, "task"), (2, "will_say"), (3, "said")]
