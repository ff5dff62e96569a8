"""Puts the built console into the wheel, where it was built. A wheel without it says at /console/ what to do."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ConsoleHook(BuildHookInterface[Any]):
    """Hatchling finds it by pyproject.toml."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """`version` is `editable` where the sources stay where they are, and the console is found beside them."""
        folder = Path(self.root, "console", "dist")
        if version != "editable" and (folder / "index.html").is_file():
            for file in folder.rglob("*"):
                name = file.relative_to(folder)
                if file.is_file() and not name.parts[0].startswith("."):
                    build_data["force_include"][f"{file}"] = f"gateway/console_files/{name.as_posix()}"
