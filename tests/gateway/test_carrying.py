"""What the journal keeps of a message with files: their digests in their places, and the proof of what travelled."""

import base64
import hashlib
import json
import random
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

import pytest

from canonical.errors import Unavailable
from canonical.message import Message
from canonical.reading import FileContent
from canonical.time import SHANGHAI
from gateway.carrying import LEAST, TRAVELLED, kept, travelled
from storage.files import FileStore

CHANCE = random.Random(7)
FILE = CHANCE.randbytes(5000)


def message(body: bytes) -> Message:
    return Message(
        system="s", body=body, at=datetime(2026, 5, 20, tzinfo=SHANGHAI), id=UUID(int=7), headers={"x-sign": "1"}
    )  # fmt: skip


def contents(*files: bytes) -> dict[str, FileContent]:
    return {f"/{number}": FileContent(content) for number, content in enumerate(files)}


BODIES = {
    "bytes": FILE,
    "multipart": b"--b\r\n\r\n" + FILE + b"\r\n--b--\r\n",
    "base64": json.dumps({"d": base64.b64encode(FILE).decode(), "n": "图"}).encode(),
    "without padding": b'{"d":"' + base64.b64encode(FILE).rstrip(b"=") + b'"}',
    "base64url": b'{"d":"' + base64.urlsafe_b64encode(FILE) + b'"}',
    "form": urlencode({"d": base64.b64encode(FILE).decode(), "n": "1"}).encode(),
    "hex": FILE.hex().encode(),
    "HEX": FILE.hex().upper().encode(),
    "twice": FILE + b"-" + FILE,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_however_a_file_is_written_its_digest_stands_for_it_and_it_can_be_put_back(body: bytes, tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.put(FILE)

    journal = kept(message(body), contents(FILE))

    assert f"[file:sha256:{hashlib.sha256(FILE).hexdigest()}:5000:".encode() in journal.body
    assert len(journal.body) < 300
    assert journal.headers == {"x-sign": "1", TRAVELLED: f"sha256:{hashlib.sha256(body).hexdigest()}:{len(body)}"}
    assert travelled(journal, store) == body


def test_a_file_that_holds_another_is_put_back_whole(tmp_path: Path) -> None:
    store, archive = FileStore(tmp_path), CHANCE.randbytes(100) + FILE + CHANCE.randbytes(100)
    for content in (FILE, archive):
        store.put(content)

    journal = kept(message(archive + FILE), contents(FILE, archive))

    assert journal.body.count(b"[file:") == 2
    assert travelled(journal, store) == archive + FILE


def test_a_message_without_files_and_one_with_a_tiny_one_are_kept_as_they_are() -> None:
    tiny = b"1" * (LEAST - 1)

    assert kept(message(FILE), {}) == message(FILE)
    assert kept(message(b"11" + tiny), contents(tiny)) == message(b"11" + tiny)


def test_what_hides_its_files_is_kept_as_its_digest_when_it_is_large_and_whole_when_it_is_not(tmp_path: Path) -> None:
    hidden = bytes(byte ^ 85 for byte in CHANCE.randbytes(300_000))

    journal = kept(message(hidden), contents(FILE))

    assert journal.body == f"[body:sha256:{hashlib.sha256(hidden).hexdigest()}:300000]".encode()
    assert kept(message(hidden[:5000]), contents(FILE)).body == hidden[:5000]
    with pytest.raises(Unavailable, match="only what the journal keeps"):
        travelled(journal, FileStore(tmp_path))


def test_what_cannot_be_proved_is_not_shown_as_what_travelled(tmp_path: Path) -> None:
    """The text of a citizen may look like a place for a file; and the store may lack one."""
    store = FileStore(tmp_path)
    store.put(FILE)
    spoofed = f'{{"t":"[file:sha256:{hashlib.sha256(FILE).hexdigest()}:5000:hex]","d":"{FILE.hex()}"}}'.encode()
    journal = kept(message(spoofed), contents(FILE))

    with pytest.raises(Unavailable, match="only what the journal keeps"):
        travelled(journal, store)
    with pytest.raises(Unavailable, match="file store cannot be read"):
        travelled(journal, FileStore(tmp_path / "another"))
