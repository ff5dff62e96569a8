"""The file store: whole or not at all, once under the name of its bytes, and honest about a disk that does not work."""

import hashlib
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from canonical.errors import ContractViolation, Refused, Unavailable, Why
from storage.files import FileStore, Stored

PICTURE = b"\xff\xd8\xff\xe0 a lamp that does not burn"
DIGEST = hashlib.sha256(PICTURE).hexdigest()
ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "files", most=1000)


def everything(store: FileStore) -> list[Path]:
    return sorted(path for path in store.root.rglob("*") if path.is_file())


def test_a_file_lies_under_the_digest_of_its_bytes(store: FileStore) -> None:
    stored = store.put(PICTURE, "image/jpeg")

    assert stored == Stored(DIGEST, len(PICTURE), "image/jpeg")
    assert everything(store) == [store.root / DIGEST[:2] / DIGEST[2:]]
    assert store.read(DIGEST) == PICTURE
    with store.open(DIGEST) as file:
        assert file.read(3) == PICTURE[:3]


def test_chunks_make_the_same_file_as_the_whole(store: FileStore) -> None:
    assert store.put(PICTURE[n : n + 5] for n in range(0, len(PICTURE), 5)).sha256 == DIGEST
    assert store.put([]).sha256 == hashlib.sha256(b"").hexdigest()


def test_the_same_bytes_lie_there_once_whoever_brings_them(store: FileStore) -> None:
    with ThreadPoolExecutor(8) as threads:
        stored = set(threads.map(lambda _: store.put(PICTURE), range(32)))

    assert stored == {Stored(DIGEST, len(PICTURE))}
    assert everything(store) == [store.path(DIGEST)]


def test_files_are_for_this_user_only(store: FileStore) -> None:
    store.put(PICTURE)

    assert stat.S_IMODE(store.path(DIGEST).stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path(DIGEST).parent.stat().st_mode) == 0o700


def test_too_large_a_file_is_refused_and_leaves_nothing(store: FileStore) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 100

    with pytest.raises(Refused) as refused:
        store.put(endless())

    assert refused.value.why is Why.TOO_LARGE
    with pytest.raises(Refused):
        store.put(b"x" * 1001)
    assert everything(store) == []
    assert store.put(b"x" * 1000).size == 1000


def test_a_source_that_breaks_off_leaves_nothing(store: FileStore) -> None:
    def broken() -> Iterator[bytes]:
        yield PICTURE
        raise Unavailable("the line is cut")

    with pytest.raises(Unavailable, match="the line is cut"):
        store.put(broken())

    assert everything(store) == []


def test_a_damaged_file_is_noticed_and_healed_when_it_comes_again(store: FileStore) -> None:
    store.put(PICTURE)
    assert store.verify(DIGEST)

    store.path(DIGEST).write_bytes(PICTURE[:-1])
    assert not store.verify(DIGEST)

    store.put(PICTURE)
    assert store.verify(DIGEST)


def test_what_is_not_there_is_unavailable_and_does_not_verify(store: FileStore) -> None:
    assert not store.verify(DIGEST)
    with pytest.raises(Unavailable, match="ENOENT"):
        store.read(DIGEST)
    with pytest.raises(Unavailable, match="ENOENT"):
        store.open(DIGEST)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", DIGEST.upper(), DIGEST[:-1], DIGEST + "\n", "/" + DIGEST])
def test_no_name_leads_out_of_the_folder(store: FileStore, name: str) -> None:
    with pytest.raises(ContractViolation):
        store.path(name)


def test_a_folder_that_cannot_be_is_unavailable_and_names_no_path(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")

    with pytest.raises(Unavailable, match="ENOTDIR") as unavailable:
        FileStore(tmp_path / "taken" / "files").put(PICTURE)

    assert str(tmp_path) not in str(unavailable.value)


_FULL = """
import resource, signal, sys
from pathlib import Path
from canonical.errors import Unavailable
from storage.files import FileStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    FileStore(Path(sys.argv[1])).put([b"x" * 600, b"x" * 600])
except Unavailable as error:
    print(error)
"""


def test_a_disk_without_room_is_unavailable_and_keeps_no_half_file(store: FileStore) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(store.root)], cwd=ROOT, capture_output=True, text=True, check=True
    )  # fmt: skip

    assert done.stdout == "the file store cannot be written (EFBIG)\n"
    assert everything(store) == []


_KILLED = """
import os, signal, sys
from pathlib import Path
from storage.files import FileStore
def chunks():
    yield b"half of it"
    os.kill(os.getpid(), signal.SIGKILL)
FileStore(Path(sys.argv[1])).put(chunks())
"""


def test_a_killed_writer_leaves_no_file_and_its_rest_is_tidied_away(store: FileStore) -> None:
    done = subprocess.run([sys.executable, "-c", _KILLED, str(store.root)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    kept = store.put(PICTURE)
    [rest] = (store.root / "unfinished").iterdir()
    now = datetime.now(UTC)

    assert store.tidy(now - timedelta(hours=1)) == 0
    os.utime(rest, (0, 0))
    assert store.tidy(now - timedelta(hours=1)) == 1

    assert everything(store) == [store.path(kept.sha256)]


def test_an_empty_store_is_tidy(store: FileStore) -> None:
    assert store.tidy(datetime.now(UTC)) == 0
