"""What a browser loads before the first view is weighed by the manifest, without what it loads later."""

import json
from pathlib import Path

from tests.house.console import ENTRY, FIRST_PAGE, needed, weight

MANIFEST = {
    ENTRY: {"file": "assets/index.js", "imports": ["_vue.js"], "dynamicImports": [FIRST_PAGE, "map"]},
    FIRST_PAGE: {"file": "assets/cockpit.js", "imports": ["_vue.js", "_kit.js"], "dynamicImports": ["charts"]},
    "_vue.js": {"file": "assets/vue.js"},
    "_kit.js": {"file": "assets/kit.js", "imports": ["_vue.js"]},
    "map": {"file": "assets/map.js"},
    "charts": {"file": "assets/charts.js"},
}


def test_the_first_page_and_all_it_always_needs_count_once() -> None:
    assert needed(MANIFEST, ENTRY, FIRST_PAGE) == {f"assets/{name}.js" for name in ("index", "cockpit", "vue", "kit")}


def test_compressed_files_count_as_they_are_sent(tmp_path: Path) -> None:
    (tmp_path / ".vite").mkdir()
    (tmp_path / "assets").mkdir()
    (tmp_path / ".vite" / "manifest.json").write_text(json.dumps(MANIFEST))
    for name in ("index", "cockpit", "vue", "kit", "map"):
        (tmp_path / "assets" / f"{name}.js").write_bytes(b"x" * 1000)
    (tmp_path / "assets" / "vue.js.gz").write_bytes(b"x" * 10)

    assert weight(tmp_path) == 3010
