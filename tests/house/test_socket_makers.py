"""A socket that nobody closed is told with the test and the line that made it."""

import subprocess
import sys
from pathlib import Path

_LEFT_OPEN = """
import socket


def test_leaves_one_open():
    one = [socket.create_server(("127.0.0.1", 0))]
    one.append(one)


def test_is_where_it_is_found():
    import gc
    gc.collect()
"""


def test_the_maker_of_a_socket_that_was_left_open_is_named(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_sessionstart\n", encoding="utf-8")
    (tmp_path / "test_open.py").write_text(_LEFT_OPEN, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "-W", "error", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, f"--rootdir={tmp_path}", str(tmp_path)], cwd=Path(__file__).parents[2], capture_output=True,
        encoding="utf-8", check=False,
    )  # fmt: skip

    assert done.returncode == 1, done.stdout
    assert "A socket made in test_open.py::test_leaves_one_open (call) at " in done.stdout
    line = 1 + _LEFT_OPEN.splitlines().index('    one = [socket.create_server(("127.0.0.1", 0))]')
    assert f"{tmp_path / 'test_open.py'}:{line} < " in done.stdout
