"""The types that pages are checked against are those of the hub's own description."""

import json
import subprocess
from pathlib import Path

import pytest

from gateway.openapi import document
from tests.console.browser import CONSOLE


def test_the_consoles_types_are_made_from_the_newest_description(built_console: None, tmp_path: Path) -> None:
    program = CONSOLE / "node_modules" / ".bin" / "openapi-typescript"
    if not program.exists():
        pytest.skip("not installed: the console's packages (make console)")
    described, made = tmp_path / "openapi.json", tmp_path / "schema.d.ts"
    described.write_text(json.dumps(document(), ensure_ascii=False, sort_keys=True), encoding="utf-8")
    words: list[str | Path] = [program, described, "--output", made, "--empty-objects-unknown"]
    subprocess.run(words, check=True, capture_output=True, cwd=CONSOLE)

    kept = (CONSOLE / "src" / "api" / "schema.d.ts").read_text(encoding="utf-8")
    assert made.read_text(encoding="utf-8") == kept, "run: cd console && npm run types"
