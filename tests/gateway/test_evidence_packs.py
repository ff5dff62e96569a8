"""Evidence packs: whole and true they verify with Python alone; whatever is changed in one is found, with its place."""

import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from canonical.errors import Unacceptable
from canonical.time import in_shanghai
from gateway.cli.main import app
from gateway.evidence.head import head_view
from gateway.evidence.pack import MASKED, WHOLE, Order, write_pack
from gateway.evidence.sign import Signer
from gateway.evidence.verify import MANIFEST, PROOF, SIGNATURE, plain, verified
from gateway.hub import clock
from gateway.settings import example_city
from tests.gateway.evidence_room import at_store, execute, findings, lines, packed, remade, rewrite, seal
from tests.gateway.pushes import NAME, PHONE, hotline, ticket
from tests.gateway.running import CENTRE_SECRET, ENVIRONMENT, HubUnderTest

SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(b"k" * 32))


def two_cases(hub: HubUnderTest) -> list[str]:
    """Their numbers. The first has been told twice."""
    for id_ in ("1", "2", "1"):
        hotline(ticket(id_)).to(hub)
    return sorted(case["no"] for case in hub.cases())


def alone(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The pack's own verifier, by itself: no package of ours can be imported."""
    command = [sys.executable, "-I", "-S", str(folder / "verify.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd="/", check=False)


@pytest.mark.parametrize("algorithm", ["sha256", "sm3"])
def test_a_pack_of_a_case_verifies_with_python_alone(hub: HubUnderTest, tmp_path: Path, algorithm: str) -> None:
    [first, _] = two_cases(hub)

    written = packed(hub.database_url, [first], tmp_path / "pack", Order(WHOLE, signer=SIGNER), algorithm=algorithm)

    assert (written.not_sealed, written.changed) == (0, [])
    done = alone(tmp_path / "pack", "--head", written.head, "--key", SIGNER.public, "--strict")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"OK  {written.lines} lines" in done.stdout
    assert written.digest in done.stdout


def test_it_holds_the_whole_story_with_the_bytes_as_they_came(hub: HubUnderTest, tmp_path: Path) -> None:
    [first, _] = two_cases(hub)

    folder = packed(hub.database_url, [first], tmp_path / "pack").folder

    case = json.loads((folder / "case.json").read_text())
    assert (case["no"], case["reporter"]["phone"]) == (first, PHONE)
    events = [line["event"] for line in lines(folder, "events.jsonl")]
    assert [event["action"]["kind"] for event in events] == ["collect", "file", "dispatch"]
    verdicts = {line["id"]: line["verdict"] for line in lines(folder, "journal.jsonl")}
    assert sorted(verdicts.values()) == ["case", "repeated"]
    for id_ in verdicts:
        assert (folder / "messages" / id_).read_bytes() == hub.rows("SELECT body FROM message WHERE id = $1", id_)[0][
            "body"
        ]
    assert [line["system"] for line in lines(folder, "bindings.jsonl")] == ["hotline_12345"]
    assert [line["state"] for line in lines(folder, "deliveries.jsonl")] != []
    disclosed = {line["at"]: line["value"] for line in lines(folder, "disclosed.jsonl")}
    assert disclosed["event.action.report.reporter"]["phone"] == PHONE
    assert "message.headers" not in disclosed


def test_a_masked_pack_of_a_figure_verifies_and_names_nobody(hub: HubUnderTest, tmp_path: Path) -> None:
    numbers = two_cases(hub)
    about = {"title": "on time", "value": 1.0}

    folder = packed(hub.database_url, numbers, tmp_path / "pack", Order(MASKED, about=about)).folder

    assert findings(folder) == []
    said = json.loads((folder / "figure.json").read_text())
    assert (said["title"], said["cases"]) == ("on time", numbers)
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file()).decode()
    assert [word for word in (NAME, PHONE) if word in everything] == []
    assert not (folder / "messages").exists()
    assert {line["body"] for line in lines(folder, "journal.jsonl")} == {"withheld"}


def test_any_changed_byte_of_any_file_is_found_and_its_file_named(hub: HubUnderTest, tmp_path: Path) -> None:
    numbers = two_cases(hub)
    folder = packed(hub.database_url, numbers, tmp_path / "pack", Order(WHOLE, about={}, signer=SIGNER)).folder
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    assert len(paths) > 15

    missed = []
    for path in paths:
        data = path.read_bytes()
        for at in sorted({0, len(data) // 3, len(data) // 2, len(data) - 2}) if len(data) > 1 else [0]:
            path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            try:
                found = findings(folder)
            except Exception as error:  # noqa: BLE001 the manifest is no JSON any more: said too
                found = [str(error)]
            if not any(path.name in finding for finding in found):
                missed.append((path.name, at, found))
        path.write_bytes(data)

    assert missed == []
    assert findings(folder) == []


Tamper = Callable[[Path], None]


def _lines(folder: Path, name: str) -> list[bytes]:
    return (folder / name).read_bytes().splitlines()


def changed_event(folder: Path) -> None:
    events = _lines(folder, "events.jsonl")
    rewrite(folder, "events.jsonl", [events[0], events[1].replace(b'"kind":"file"', b'"kind":"fill"'), *events[2:]])


def left_out(folder: Path) -> None:
    events, proofs = _lines(folder, "events.jsonl"), lines(folder, "proofs.jsonl")
    del events[1]
    moved = []
    for proof in proofs:
        name, _, number = proof["of"].partition(":")
        if name == "events.jsonl" and int(number) >= 2:
            if number == "2":
                continue
            proof["of"] = f"{name}:{int(number) - 1}"
        moved.append(plain(proof))
    rewrite(folder, "proofs.jsonl", moved)
    rewrite(folder, "events.jsonl", events)


def left_out_at_the_end(folder: Path) -> None:
    rewrite(folder, "events.jsonl", _lines(folder, "events.jsonl")[:-1])
    rewrite(folder, "proofs.jsonl", [one for one in _lines(folder, "proofs.jsonl") if b'"events.jsonl:3"' not in one])


def swapped(folder: Path) -> None:
    events, proofs = _lines(folder, "events.jsonl"), (folder / "proofs.jsonl").read_bytes()
    events[1], events[2] = events[2], events[1]
    proofs = proofs.replace(b"events.jsonl:2", b"x").replace(b"events.jsonl:3", b"events.jsonl:2")
    (folder / "proofs.jsonl").write_bytes(proofs.replace(b'"x"', b'"events.jsonl:3"'))
    rewrite(folder, "events.jsonl", events)


def other_bytes(folder: Path) -> None:
    next((folder / "messages").iterdir()).write_bytes(b"other bytes")
    remade(folder)


def other_phone(folder: Path) -> None:
    disclosed = (folder / "disclosed.jsonl").read_bytes()
    (folder / "disclosed.jsonl").write_bytes(disclosed.replace(PHONE.encode(), b"13800000001"))
    remade(folder)


def other_proof(folder: Path) -> None:
    proofs = lines(folder, "proofs.jsonl")
    proofs[0]["path"], proofs[1]["path"] = proofs[1]["path"], proofs[0]["path"]
    rewrite(folder, "proofs.jsonl", [plain(one) for one in proofs])


def no_proof(folder: Path) -> None:
    rewrite(folder, "proofs.jsonl", _lines(folder, "proofs.jsonl")[1:])


def other_seal(folder: Path) -> None:
    rewrite(folder, "seals.jsonl", [one.replace(b'"form":2', b'"form":1') for one in _lines(folder, "seals.jsonl")])


def no_message(folder: Path) -> None:
    messages = _lines(folder, "messages.jsonl")
    rewrite(folder, "messages.jsonl", messages[1:])


def one_more_file(folder: Path) -> None:
    (folder / "more.txt").write_text("slipped in")


def other_version(folder: Path) -> None:
    case = json.loads((folder / "case.json").read_text())
    (folder / "case.json").write_text(json.dumps(case | {"version": 2}))
    remade(folder)


TAMPERED: dict[str, tuple[Tamper, str]] = {
    "an event changed": (changed_event, "events.jsonl:2: is not what was sealed"),
    "an event left out": (left_out, "events.jsonl:2: is event 3, expected event 2"),
    "the last event left out": (left_out_at_the_end, "has 3 events, 2 here"),
    "two events swapped": (swapped, "events.jsonl:2: is event 3, expected event 2"),
    "bytes of a message": (other_bytes, "is not the bytes that were sealed (messages.jsonl:"),
    "a disclosed phone": (other_phone, "is not what was sealed as event.action.report.reporter"),
    "proofs of other lines": (other_proof, ": is not what was sealed by seal 1"),
    "a proof left out": (no_proof, ": has no proof"),
    "a seal": (other_seal, "seals.jsonl:1: seal 1 is not one of the chain"),
    "a message left out": (no_message, "which is not here"),
    "a file slipped in": (one_more_file, "more.txt: is not of this pack"),
    "fewer events said": (other_version, "has 2 events, 3 here"),
}


def test_what_a_forger_changes_is_found_with_its_place_though_the_manifest_fits(
    hub: HubUnderTest, tmp_path: Path
) -> None:
    [first, _] = two_cases(hub)
    folder = packed(hub.database_url, [first], tmp_path / "pack").folder

    missed = {}
    for what, (tamper, expected) in TAMPERED.items():
        copy = tmp_path / what
        shutil.copytree(folder, copy)
        tamper(copy)
        found = findings(copy)
        if not any(expected in one for one in found):
            missed[what] = found

    assert missed == {}
    assert findings(folder) == []
    by_itself = alone(tmp_path / "a message left out")
    assert (by_itself.returncode, by_itself.stdout.startswith("FAILED  "), by_itself.stderr) == (1, True, "")


def test_a_chain_made_anew_does_not_have_the_head_that_others_kept(hub: HubUnderTest, tmp_path: Path) -> None:
    [first, _] = two_cases(hub)
    before = packed(hub.database_url, [first], tmp_path / "before")
    hotline(ticket("3")).to(hub)
    after = packed(hub.database_url, [first], tmp_path / "after", Order(WHOLE, [before.head]))

    assert after.size == before.size + 1
    assert findings(after.folder, head=before.head) == []
    assert findings(after.folder, head=after.head) == []

    def forge(store: Any) -> Any:
        async def job() -> None:
            await execute(store, "DELETE FROM seal")
            await execute(store, "UPDATE event SET body = jsonb_set(body, '{action,at}', '\"2026-01-01T00:00:00Z\"')")

        return job()

    at_store(hub.database_url, forge)
    forged = packed(hub.database_url, [first], tmp_path / "forged", Order(WHOLE, [before.head]))
    assert findings(forged.folder) == []  # it is whole by itself: only who kept a head can tell
    assert ["--head" in one for one in findings(forged.folder, head=before.head)] == [True]


def test_a_forged_continuation_and_a_strangers_signature_are_found(hub: HubUnderTest, tmp_path: Path) -> None:
    [first, _] = two_cases(hub)
    before = packed(hub.database_url, [first], tmp_path / "before")
    hotline(ticket("3")).to(hub)
    folder = packed(hub.database_url, [first], tmp_path / "pack", Order(WHOLE, [before.head], signer=SIGNER)).folder
    assert findings(folder, key=SIGNER.public) == []

    assert any("--key: it is signed by another key" in one for one in findings(folder, key="ab" * 32))
    remade(folder)
    (folder / "case.json").write_text((folder / "case.json").read_text() + " ")
    remade(folder)
    assert any("signature of the pack does not hold" in one for one in findings(folder))
    (folder / SIGNATURE).unlink()
    assert findings(folder, key=SIGNER.public) == ["--key: this pack is not signed"]
    proof = json.loads((folder / PROOF).read_text())
    proof["known"][0]["head"] = "0" * 64
    (folder / PROOF).write_text(json.dumps(proof))
    remade(folder)
    assert any("the chain does not go on from the head" in one for one in findings(folder, head="0" * 64))


def test_what_is_not_sealed_yet_is_said_and_fails_only_where_that_is_asked(hub: HubUnderTest, tmp_path: Path) -> None:
    [first, _] = two_cases(hub)

    async def job(store: Any) -> Any:
        await seal(store)
        await execute(store, "DELETE FROM seal")
        return await write_pack(store, [first], tmp_path / "pack", at=clock(), order=Order(WHOLE))

    written = at_store(hub.database_url, job)

    assert written.not_sealed == written.lines == 5
    done = alone(tmp_path / "pack")
    assert (done.returncode, done.stdout.count("not sealed yet")) == (0, 5)
    assert "OK  0 lines are proven" in done.stdout
    assert alone(tmp_path / "pack", "--strict").returncode == 1


def test_a_row_changed_behind_our_back_is_told_when_it_is_packed_and_found_in_the_pack(
    hub: HubUnderTest, tmp_path: Path
) -> None:
    [first, _] = two_cases(hub)
    packed(hub.database_url, [first], tmp_path / "before")
    hub.rows("UPDATE event SET body = jsonb_set(body, '{action,reason}', '\"other\"') WHERE seq = 2")

    written = packed(hub.database_url, [first], tmp_path / "pack")

    assert written.changed == ["events.jsonl:2"]
    assert any(one.startswith("events.jsonl:2: is not what was sealed") for one in findings(tmp_path / "pack"))


def test_a_pack_of_nobody_or_into_a_full_folder_is_refused_and_leaves_nothing(
    hub: HubUnderTest, tmp_path: Path
) -> None:
    [first, _] = two_cases(hub)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()

    for numbers, folder in (([first, "999"], "new"), ([], "new"), ([first], "full"), ([first], "full/file")):
        with pytest.raises(Unacceptable):
            packed(hub.database_url, numbers, tmp_path / folder)

    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "full"]


def test_a_stream_that_is_no_pack_is_said_to_be_none(tmp_path: Path) -> None:
    for name, data in (("nothing", b""), ("no-json", b"{"), ("a-list", b"[]"), ("half", b"{}")):
        folder = tmp_path / name
        folder.mkdir()
        if name != "nothing":
            (folder / MANIFEST).write_bytes(data)
            (folder / PROOF).write_bytes(data)
        done = subprocess.run(
            [sys.executable, "-m", "gateway.evidence.verify", str(folder)], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr


def gridhub(hub: HubUnderTest, *arguments: str) -> Result:
    """A command of ours on this database."""
    return CliRunner().invoke(app, ["evidence", *arguments], env=told(hub))


def told(hub: HubUnderTest) -> dict[str, str]:
    """The settings of a command on this database."""
    return ENVIRONMENT | {"GRIDHUB_DATABASE_URL": hub.database_url, "GRIDHUB_CONFIG": str(example_city())}


def test_the_commands_pack_verify_tell_the_head_and_check(hub: HubUnderTest, tmp_path: Path) -> None:
    numbers = two_cases(hub)
    pack, kept = tmp_path / "pack", tmp_path / "heads"

    assert gridhub(hub, "head").exit_code == 5
    done = gridhub(hub, "case", "DH1", "--to", str(pack), "--json")
    assert done.exit_code == 0, done.output
    head = json.loads(done.stdout)["head"]
    assert gridhub(hub, "head", "--to", str(kept)).stdout.startswith(head)
    assert json.loads(kept.read_text())["head"] == head
    assert gridhub(hub, "verify", str(pack), "--head", head, "--strict").exit_code == 0
    assert gridhub(hub, "case", "no-such", "--to", str(tmp_path / "none")).exit_code == 5
    figure = gridhub(hub, "figure", *numbers, "--to", str(tmp_path / "figure"), "--title", "all", "--json")
    assert (figure.exit_code, json.loads(figure.stdout)["cases"]) == (0, 2)
    now = in_shanghai(clock())
    assert CliRunner().invoke(app, ["assess", "update"], env=told(hub)).exit_code == 0
    of_month = ["--column", "report", "--period", f"{now:%Y-%m}", "--by", "district"]
    counted = gridhub(hub, "figure", *of_month, "--to", str(tmp_path / "counted"), "--json")
    assert (counted.exit_code, json.loads(counted.stdout)["cases"]) == (0, 2), counted.output
    said = json.loads((tmp_path / "counted" / "figure.json").read_text())
    assert (said["value"], said["cases"], len(said["facts"]["report"])) == (2, numbers, 2)
    assert gridhub(hub, "verify", str(tmp_path / "counted"), "--strict").exit_code == 0
    assert gridhub(hub, "check").exit_code == 0
    hub.rows("DELETE FROM event WHERE seq = 2")
    found = gridhub(hub, "check", "--json")
    assert (found.exit_code, len(json.loads(found.stdout)["findings"])) == (1, 2)


@pytest.mark.parametrize(("whole", "shown"), [((), False), (("--whole",), True)])
def test_the_collectors_of_a_figure_are_masked_as_people_are(
    hub: HubUnderTest, tmp_path: Path, whole: tuple[str, ...], shown: bool
) -> None:
    about = {
        "facts": {"report": [{"person": "patrol/C-0031", "post": "collector"}, {"person": "op-1", "post": "acceptor"}]}
    }
    (tmp_path / "about.json").write_text(json.dumps(about))
    order = ("--about", str(tmp_path / "about.json"), "--to", str(tmp_path / "pack"), *whole)

    done = gridhub(hub, "figure", *two_cases(hub), *order)
    assert done.exit_code == 0, done.output
    said = (tmp_path / "pack" / "figure.json").read_text()
    assert ("C-0031" in said, "op-1" in said) == (shown, True)


def test_a_pack_comes_as_a_zip_to_those_who_may_and_whole_only_with_a_reason(hub: HubUnderTest, tmp_path: Path) -> None:
    [first, _] = two_cases(hub)
    path, token = f"/api/cases/{first}/evidence", {"authorization": f"Bearer {CENTRE_SECRET}"}

    assert hub.client.get(path).status_code == 401
    assert hub.client.get("/api/cases/none/evidence", headers=token).status_code == 404
    assert hub.client.get(f"{path}?whole=true", headers=token).status_code == 422
    for query, phone in (("", False), ("?whole=true&by=li&reason=court", True)):
        answer = hub.client.get(path + query, headers=token)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
        folder = tmp_path / str(phone)
        zipfile.ZipFile(io.BytesIO(answer.content)).extractall(folder)
        [pack] = folder.iterdir()
        assert verified(pack).findings == []
        assert (pack / "messages").exists() is phone
    head = hub.client.get("/api/evidence/head", headers=token).json()
    assert head == at_store(hub.database_url, lambda store: head_view(store, None))
    assert "gridhub_seal_lag_seconds 0.0" in hub.client.get("/metrics").text
