"""The programs that people open maps with: GDAL, QGIS, OpenLayers under Node; and MapServer, to compare with.

`make servers` installs them. Each runs in a folder of its own, so that none finds what another one kept, and asks no
proxy. Where one is not installed, the test is skipped and says which.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import noto_cjk_sans_otc
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

HERE = Path(__file__).parent
OPENLAYERS = HERE / "openlayers"
PYTHON = "/usr/bin/python3"
"""Debian's, which its QGIS is made for."""
SECONDS = 120
_PLACES = "/usr/bin:/usr/local/bin:/usr/lib/cgi-bin"
_NOT_OURS = frozenset({
    "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "DISPLAY", "WAYLAND_DISPLAY",
    "PROJ_LIB", "PROJ_DATA", "GDAL_DATA", "ICU_DATA",  # Mapnik's own, which it puts there when it is imported
})  # fmt: skip
_FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><include ignore_missing="yes">/etc/fonts/fonts.conf</include><dir>{}</dir></fontconfig>
"""
"""Fonts for Chinese, where the machine has none: those that maps are drawn with."""
_COMPLAINTS = ("ERROR", "Warning")


class ClientRefused(Exception):
    """A client did not take what it was given; says what the client said."""


def gdal(program: str, *words: str | Path) -> str:
    """What a program of GDAL says, such as `gdal("ogrinfo", "-al", url)`. Raises ClientRefused if it complains."""
    return _run([found(program, "gdal-bin"), *words], strict=True)


def qgis(script: str | Path, *words: str | Path) -> Any:
    """What `answer` of a script in tests/maps/qgis gives for the words. Raises ClientRefused where it fails."""
    if complaint := _missing_qgis():
        pytest.skip(complaint)
    started = [PYTHON, "-X", "faulthandler", HERE / "qgis" / "start.py", HERE / "qgis" / script, *words]
    return json.loads(_run(started).splitlines()[-1])


def node(script: str | Path, *words: str | Path) -> Any:
    """What the default export of a script in tests/maps/openlayers answers. Raises ClientRefused where it fails."""
    program = found("node", "nodejs")
    if not (OPENLAYERS / "node_modules" / "ol").is_dir():
        pytest.skip("not installed: OpenLayers (make servers)")
    return json.loads(_run([program, OPENLAYERS / "start.mjs", OPENLAYERS / script, *words]))


def chromium(address: str, wide: int, high: int) -> npt.NDArray[np.uint8]:
    """A page as it looks when all it asked for has come: height x width x 3. Raises ClientRefused."""
    program = found("chromium", "chromium")
    with tempfile.TemporaryDirectory(prefix="gridhub-chromium-") as folder:
        file = Path(folder, "page.png")
        options = [
            "--headless", "--disable-gpu", "--no-first-run", "--disable-extensions", "--disable-background-networking",
            "--disable-dev-shm-usage", "--hide-scrollbars", "--force-device-scale-factor=1", "--no-proxy-server",
            "--virtual-time-budget=8000", f"--window-size={wide},{high}", f"--user-data-dir={folder}/profile",
            f"--screenshot={file}",
        ]  # fmt: skip
        if os.geteuid() == 0:
            options.append("--no-sandbox")  # it refuses to run as root otherwise
        said = _run([program, *options, address])
        if not file.exists():
            raise ClientRefused(f"chromium made no picture: {said}")
        with Image.open(file) as picture:
            return np.array(picture.convert("RGB"))


def _run(command: Sequence[str | Path], strict: bool = False) -> str:
    with tempfile.TemporaryDirectory(prefix="gridhub-client-") as folder:
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment(folder), stdin=subprocess.DEVNULL,
                capture_output=True, encoding="utf-8", timeout=SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise ClientRefused(f"{Path(command[0]).name}: no end after {SECONDS} s") from None
    if done.returncode or (strict and any(line.startswith(_COMPLAINTS) for line in done.stderr.splitlines())):
        raise ClientRefused(f"{Path(command[0]).name} ended with {done.returncode}: {done.stderr}{done.stdout}")
    return done.stdout


def environment(folder: str) -> dict[str, str]:
    """What a client finds: nothing of ours, and a folder of its own."""
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
    own = dict.fromkeys(("HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), folder)
    fonts = Path(folder, "fonts.conf")
    fonts.write_text(_FONTS.format(Path(noto_cjk_sans_otc.__file__).parent), encoding="utf-8")
    own["FONTCONFIG_FILE"] = str(fonts)
    return kept | own | {"QT_QPA_PLATFORM": "offscreen", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def found(program: str, package: str) -> str:
    """Where a program lies. Skips the test, and says what is missing, where it is not installed."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_PLACES}")
    if found is None:
        pytest.skip(f"not installed: {program} (Debian's {package}; make servers)")
    return found


@cache
def _missing_qgis() -> str:
    if not Path(PYTHON).exists():
        return f"not installed: {PYTHON}, and QGIS for it"
    with tempfile.TemporaryDirectory(prefix="gridhub-client-") as folder:
        asked = [PYTHON, "-c", "from qgis.core import QgsApplication"]
        done = subprocess.run(asked, env=environment(folder), capture_output=True, check=False)
    return f"not installed: QGIS for {PYTHON} (Debian's python3-qgis; make servers)" if done.returncode else ""
