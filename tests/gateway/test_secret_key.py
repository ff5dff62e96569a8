"""The city's secret: one key a purpose, a file where nothing was set, and clear words where it cannot be right."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from canonical.errors import Misconfigured
from gateway.secret_key import key, opened, sealed
from gateway.settings import Settings

SET = Settings(Path(), secret="sixteen characters and more")


def test_each_purpose_has_a_key_of_its_own() -> None:
    assert key(SET, "one") == key(SET, "one")
    assert key(SET, "one") != key(SET, "two")
    assert len(key(SET, "one")) == 32


def test_what_is_sealed_is_opened_with_the_same_secret_alone() -> None:
    text = sealed(SET, "totp", "JBSWY3DPEHPK3PXP")

    assert "JBSW" not in text
    assert opened(SET, "totp", text) == "JBSWY3DPEHPK3PXP"
    for other in (Settings(Path(), secret="another secret of the city"), SET):
        with pytest.raises(Misconfigured, match="GRIDHUB_SECRET"):
            opened(other, "totp" if other is not SET else "else", text)


def test_without_a_secret_a_file_keeps_one_for_all_processes(tmp_path: Path) -> None:
    told = Settings(Path(), data=tmp_path / "data")

    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: key(told, "x"), range(32)))

    assert len(keys) == 1
    [file] = (tmp_path / "data").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert key(Settings(Path(), data=tmp_path / "other"), "x") not in keys


def test_a_secret_that_is_too_short_and_a_folder_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(Misconfigured, match="less than 16"):
        key(Settings(Path(), secret="short"), "x")
    with pytest.raises(Misconfigured, match="set GRIDHUB_SECRET"):
        key(Settings(Path(), data=tmp_path / "file"), "x")
