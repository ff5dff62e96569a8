"""An archive in a folder: its rows become cases, the photos they name their evidence; half a table is none."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gateway.configuration import Configuration
from gateway.work import Role
from tests.gateway.market import folder, joined
from tests.gateway.running import HubUnderTest, until

SOURCE = (
    "files: {match: ['*.zip'], quiet: 0}\n    shape: [zip: {match: '*.csv'}, csv: {trailer: 1, count: '^END,([0-9]+)'},"
    " enclosed: {path: photos, split: ';'}]"
)
PHOTO = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(64) + b"\xff\xd9"


def left(drop: Path, name: str, rows: int) -> None:
    """A table of two rows, which says it has so many."""
    table = f"id,title,kind,photos\n1,甲,行道树,a.jpg;b.jpg\n2,乙,行道树,\nEND,{rows},,\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("list.csv", table)
        archive.writestr("photos/a.jpg", PHOTO)
    (drop / f"{name}.part").write_bytes(packed.getvalue())
    (drop / f"{name}.part").rename(drop / name)


def test_photos_named_by_rows_are_kept_and_those_not_there_are_shown_as_missing(
    start_hub: Callable[..., HubUnderTest], configuration: Configuration, tmp_path: Path
) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    declared = folder(tmp_path, SOURCE, items="items: .", protocol="files")
    message = declared / "messages/complaint.yaml"
    rule = "name: {from: name}, content: {from: content, parse: [base64]}}"
    message.write_text(message.read_text(encoding="utf-8").replace("name: {from: name}}", rule), encoding="utf-8")
    contract = json.loads((declared / "contract/complaint.schema.json").read_text(encoding="utf-8"))
    contract["properties"]["photos"]["items"]["properties"]["content"] = {}
    (declared / "contract/complaint.schema.json").write_text(json.dumps(contract), encoding="utf-8")
    hub = start_hub(loaded=joined(configuration, declared, receiver_url=drop.as_uri()), doors=False)
    hub.settings = replace(hub.settings, data=tmp_path / "data")

    left(drop, "1-half.zip", 3)
    left(drop, "2-whole.zip", 2)
    hub.start_worker(frozenset({Role.RECEIVE, Role.FETCH}))
    until(lambda: not list(drop.glob("*.zip")), what="a verdict for each archive")
    files = "SELECT name, state, sha256 FROM attachment ORDER BY name"
    until(lambda: {row["state"] for row in hub.rows(files)} == {"stored", "gone"}, what="the photos")

    assert len(hub.rows("SELECT id FROM cases")) == 2
    assert "another number than the 2 rows" in (drop / "error/1-half.zip.reason.txt").read_text(encoding="utf-8")
    there, missing = hub.rows(files)
    assert (there["name"], there["sha256"]) == ("a.jpg", hashlib.sha256(PHOTO).hexdigest())
    assert (missing["name"], missing["state"]) == ("b.jpg", "gone")
