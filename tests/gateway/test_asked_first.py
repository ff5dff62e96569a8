"""What is asked before a message is written, and files inside it: real sockets, a real store, an office of its own."""

import asyncio
import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import adapters
from canonical.rights import EVERYTHING
from gateway.carrying import travelled
from gateway.configuration import Configuration, ConnectedSystem
from gateway.delivery.traffic import Retry
from storage.attachments import Attachments
from storage.files import FileStore
from storage.outbox import Wanted
from tests.gateway.outside import typed
from tests.gateway.picture_office import Office, Server, opened
from tests.gateway.pulling import NAME, Desk, desk
from tests.gateway.pushes import FORM, HOTLINE, hotline, ticket
from tests.gateway.running import ENVIRONMENT, take_up

Tell = Callable[[Desk], Coroutine[Any, Any, None]]
Working = Callable[..., None]
ROOT = Path(__file__).parents[2]
PICTURES = {f"http://127.0.0.1:9/{number}.jpg": b"\xff\xd8" + bytes([number]) * 3000 for number in (1, 2)}
FIRST, SECOND = PICTURES

SYSTEM = """\
title: 图片受理平台
edition: "1"
roles: [owner]
secrets: {user: {title: 登录名}}
connector: {protocol: http, timeout: 2}
sign_in: {message: login, token: token, secrets: [user]}
tells: {owner: {dispatch: send}}
answers:
  plain:
    shape: [json]
    rows:
      - {http: "401", then: unauthenticated}
      - {http: "412", then: refused, text: {from: msg}}
      - {http: "5xx", then: unavailable}
      - {http: "201", then: accepted, external_id: {from: $headers.location}}
      - {when: {code: 0}, then: accepted, external_id: {from: id}}
      - {when: {code: {present: "yes"}}, then: refused, text: {from: msg}}
"""
TOKEN = "headers: {X-Token: {from: session}}\nanswer: plain\n"
LOGIN = "direction: ask\ntitle: 登录\npath: /login\nanswer: plain\n"
SALT = f"direction: ask\ntitle: 取盐\nmethod: GET\npath: /salt\n{TOKEN}"
UPLOAD = (
    f"direction: ask\ntitle: 上传\npath: /files\n{TOKEN}format: multipart\n"
    "body:\n  kind: case\n  file: {object: {name: {from: file.name}, media: {from: file.media},"
    " content: {from: file.content}}}\n"
)
SEND = f"direction: out\ntitle: 派单\nrepeat: safe\npath: /orders\n{TOKEN}"
SIGNED = (
    f"{SEND}before: {{salt: salt}}\n"
    "body: {no: {from: case.reference}}\n"
    "seal: {sign: {of: [{from: body.no}, {from: before.salt.salt}], join: '', digest: sha256}}\n"
)
WITH_IDS = (
    f"{SEND}before: {{files: {{ask: upload, each: case.attachments}}}}\n"
    "body:\n  no: {from: case.reference}\n  fileIds: {from: before.files, each: {from: fileId}}\n"
    "  names: {from: before.files, each: {from: $file.name}}\n"
)
INLINE = (
    f"{SEND}body:\n  no: {{from: case.reference}}\n"
    "  pics: {from: case.attachments, each: {name: {from: name}, size: {from: size},"
    " data: {from: content, encode: base64}}}\n"
)


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def server(office: Office) -> Iterator[Server]:
    with opened(office) as one:
        yield one


def declared(folder: Path, url: str, system: str = SYSTEM, **messages: str) -> ConnectedSystem:
    """The office's folder, written, checked and loaded."""
    root = folder / NAME
    files = {"system.yaml": system} | {f"messages/{name}.yaml": text for name, text in messages.items()}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    assert list(map(str, adapters.check(root, samples=False))) == []
    return ConnectedSystem(
        system=adapters.load(root, {"user": "示例"}, name=NAME), url=url, every=None, concurrency=2, paused=False
    )  # fmt: skip


@pytest.fixture
def working(database_url: str, tmp_path: Path, configuration: Configuration, server: Server) -> Working:
    """Tell a story at a desk with one case of two pictures that is to be handed over to the office."""

    def work(tell: Tell, system: str = SYSTEM, *, pictures: Mapping[str, bytes] = PICTURES, **messages: str) -> None:
        connected = declared(tmp_path, server.url, system, login=LOGIN, salt=SALT, **messages)

        async def run() -> None:
            async with desk(configuration, database_url, connected, data=tmp_path) as one:
                files = [{"attachUrl": url, "attachName": url[-5:], "attachGuid": url[-5:]} for url in PICTURES]
                pushed = hotline(ticket("1", attachList=files))
                await one.take_in(HOTLINE, pushed.body, FORM)
                await brought(one, pictures)
                await tell(one)

        asyncio.run(run())

    return work


async def brought(desk: Desk, pictures: Mapping[str, bytes], *, gone: bool = False) -> None:
    """What the fetcher does with these files; the others go on waiting, or are `gone`."""
    rows, now = Attachments(desk.hub.store), desk.hub.now()
    store = FileStore(desk.hub.settings.file_folder)
    for file in await rows.claim(limit=9, now=now, lease=timedelta(minutes=1)):
        if file.url in pictures:
            await rows.stored(file, store.put(pictures[file.url], "image/jpeg"))
        elif gone:
            await rows.gone(file, "expired (HTTP 404)")
        else:
            await rows.retry(file, "not given now", now + timedelta(seconds=1))


async def deliver(desk: Desk, *, after: float = 0.0) -> tuple[Any, ...]:
    """(state, attempts, in_doubt) of the delivery after one round at NOW plus so many seconds."""
    desk.after = timedelta(seconds=after)
    lanes = desk.deliverer()
    await take_up(lanes)
    await lanes.drained()
    lanes._threads.shutdown()
    return await state(desk)


async def state(desk: Desk) -> tuple[Any, ...]:
    [row] = await desk.rows(f"SELECT state, attempts, in_doubt FROM delivery WHERE system = '{NAME}'")
    return row


async def told(desk: Desk) -> str:
    """What people are shown of the delivery."""
    [(text,)] = await desk.rows(f"SELECT text FROM delivery WHERE system = '{NAME}'")
    return str(text)


async def journal(desk: Desk) -> list[tuple[Any, ...]]:
    """(direction, message, verdict, text, bytes) of everything to and from the office, in order."""
    return await desk.rows(
        "SELECT direction, kind, verdict, text, octet_length(body) FROM message"
        f" WHERE system = '{NAME}' ORDER BY at, id"
    )  # fmt: skip


# Questions


def test_every_message_is_signed_with_a_salt_of_its_own_that_was_asked_for_first(
    working: Working, office: Office
) -> None:
    async def tell(desk: Desk) -> None:
        assert await deliver(desk) == ("acknowledged", 1, False)
        assert office.asked[-2:] == ["GET /salt", "POST /orders"]
        assert [order["no"] for order in office.orders] == [
            (await desk.hub.casebook.find(scope=EVERYTHING))[0].reference
        ]
        assert office.salts == set()
        kinds = [(row[0], row[1], row[2]) for row in await journal(desk)]
        assert kinds[-3:] == [
            ("out", "salt", "acknowledged"), ("out", "send", "acknowledged"), ("answer", "send", "acknowledged"),
        ]  # fmt: skip
        bodies = await desk.rows(f"SELECT convert_from(body, 'UTF8') FROM message WHERE system = '{NAME}'")
        assert not any('"salt"' in body for (body,) in bodies), "what was answered to a question is not kept"

    working(tell, send=SIGNED)


def test_a_salt_that_cannot_be_had_now_is_asked_for_again_later_and_leaves_no_doubt(
    working: Working, office: Office
) -> None:
    async def tell(desk: Desk) -> None:
        office.wrong["/salt"] = [500]
        assert await deliver(desk) == ("pending", 1, False)
        assert "salt" in await told(desk)
        assert office.orders == []
        assert await deliver(desk, after=5) == ("acknowledged", 2, False)
        assert len(office.orders) == 1

    working(tell, send=SIGNED)


def test_a_token_that_expired_on_the_question_is_renewed_and_the_question_asked_once_more(
    working: Working, office: Office
) -> None:
    async def tell(desk: Desk) -> None:
        desk.session.token = "expired"
        assert await deliver(desk) == ("acknowledged", 1, False)
        assert office.asked == ["GET /salt", "POST /login", "GET /salt", "POST /orders"]

    working(tell, send=SIGNED)


def test_a_token_that_expires_between_question_and_message_costs_a_salt_and_no_doubt(
    working: Working, office: Office
) -> None:
    async def tell(desk: Desk) -> None:
        desk.session.renew()
        office.meanwhile["/salt"] = office.tokens.clear
        assert await deliver(desk) == ("acknowledged", 1, False)
        assert office.asked == [
            "POST /login", "GET /salt", "POST /orders", "POST /login", "GET /salt", "POST /orders",
        ]  # fmt: skip
        assert len(office.orders) == 1

    working(tell, send=SIGNED)


def test_a_token_that_is_refused_on_the_question_and_its_successor_on_the_message_is_renewed_twice(
    working: Working, office: Office
) -> None:
    async def tell(desk: Desk) -> None:
        desk.session.token = "expired"
        office.meanwhile["/login"] = lambda: office.meanwhile.update({"/salt": office.tokens.clear})
        assert await deliver(desk) == ("acknowledged", 1, False)
        assert (office.count("POST /login"), office.count("GET /salt"), len(office.orders)) == (2, 3, 1)

    working(tell, send=SIGNED)


def test_an_office_that_restarts_between_question_and_message_is_asked_anew(
    working: Working, office: Office, server: Server
) -> None:
    async def tell(desk: Desk) -> None:
        desk.session.renew()
        office.meanwhile["/salt"] = server.down
        assert await deliver(desk) == ("pending", 1, False)
        assert office.orders == []
        again = Server(office, server.server_address[1])
        try:
            assert await deliver(desk, after=5) == ("acknowledged", 2, False)
        finally:
            again.down()
        assert office.count("GET /salt") == 2
        assert len(office.orders) == 1

    working(tell, send=SIGNED.replace("repeat: safe", "repeat: never"))


def test_a_version_that_was_read_first_is_what_the_change_is_made_on(working: Working, office: Office) -> None:
    current = f"direction: ask\ntitle: 查询\nmethod: GET\npath: {{text: '/orders/{{case.reference}}'}}\n{TOKEN}"
    send = SEND.replace("path: /orders", "method: PUT\npath: {text: '/orders/{case.reference}'}").replace(
        "{X-Token: {from: session}}", "{X-Token: {from: session}, If-Match: {from: before.now.$headers.etag}}"
    )
    change = f"{send}before: {{now: current}}\nbody: {{no: {{from: before.now.no}}}}\n"

    async def tell(desk: Desk) -> None:
        [case] = await desk.hub.casebook.find(scope=EVERYTHING)
        office.versions[case.reference] = 3
        assert await deliver(desk) == ("acknowledged", 1, False)
        assert office.versions == {case.reference: 4}
        assert office.orders == [{"no": case.reference}]

    working(tell, send=change, current=current)


def test_a_refused_question_parks_the_message_with_its_name_and_the_offices_words(
    working: Working, office: Office
) -> None:
    async def tell(desk: Desk) -> None:
        office.largest = 100
        assert await deliver(desk) == ("parked", 1, False)
        assert await told(desk) == "upload: 图片过大"
        assert office.orders == []

    working(tell, send=WITH_IDS, upload=UPLOAD)


def test_what_is_asked_for_by_number_is_signed_too(working: Working, office: Office) -> None:
    finding = f"direction: ask\ntitle: 查找\nmethod: GET\npath: {{text: '/orders/{{case.reference}}'}}\n{TOKEN}"
    system = f"{SYSTEM}finds: {{send: find}}\n"

    async def tell(desk: Desk) -> None:
        desk.session.renew()
        await desk.hub.outbox.claim([Wanted(NAME, 1, timedelta(seconds=1))], now=desk.hub.now())
        await desk.rows(f"UPDATE delivery SET in_doubt = true WHERE system = '{NAME}' RETURNING 1")
        assert await deliver(desk, after=5) == ("acknowledged", 2, False)
        [case] = await desk.hub.casebook.find(scope=EVERYTHING)
        assert office.asked[1:] == ["GET /salt", f"GET /orders/{case.reference}"]

    working(tell, system, send=SIGNED, find=f"{finding}before: {{salt: salt}}\n")


# Files


def test_every_picture_is_uploaded_first_and_its_id_stands_in_the_message(working: Working, office: Office) -> None:
    async def tell(desk: Desk) -> None:
        assert await deliver(desk) == ("acknowledged", 1, False)
        [order] = office.orders
        assert [office.files[one] for one in order["fileIds"]] == [
            ("1.jpg", "image/jpeg", PICTURES[FIRST]), ("2.jpg", "image/jpeg", PICTURES[SECOND]),
        ]  # fmt: skip
        assert order["names"] == ["1.jpg", "2.jpg"]
        sizes = {row[1]: row[4] for row in await journal(desk) if row[0] == "out"}
        assert sizes["upload"] < 1000, "the journal keeps no picture"

    working(tell, send=WITH_IDS, upload=UPLOAD)


def test_pictures_inside_the_message_travel_whole_and_the_journal_keeps_their_digests(
    working: Working, office: Office
) -> None:
    async def tell(desk: Desk) -> None:
        assert await deliver(desk) == ("acknowledged", 1, False)
        [order] = office.orders
        assert [base64.b64decode(one["data"]) for one in order["pics"]] == list(PICTURES.values())
        assert [one["size"] for one in order["pics"]] == [3002, 3002]

        [(id_,)] = await desk.rows(
            f"SELECT id FROM message WHERE system = '{NAME}' AND direction = 'out' AND verdict = 'acknowledged'"
        )
        found = await desk.hub.journal.message(id_)
        assert found is not None
        kept = found[1]
        digest = hashlib.sha256(PICTURES[FIRST]).hexdigest()
        assert f'"data":"[file:sha256:{digest}:3002:base64]' in kept.body.decode()
        assert len(kept.body) < 1000
        whole = travelled(kept, FileStore(desk.hub.settings.file_folder))
        assert json.loads(whole) == order

        url, folder = desk.hub.settings.database_url, desk.hub.settings.file_folder
        known = os.environ | ENVIRONMENT | {"GRIDHUB_DATABASE_URL": url, "GRIDHUB_FILES": str(folder)}
        shown = await asyncio.to_thread(typed, known, "journal", "show", str(id_), "--body", "--files")
        assert json.loads(shown.stdout) == order
        store = FileStore(folder)
        store.path(digest).unlink()
        failed = await asyncio.to_thread(typed, known, "journal", "show", str(id_), "--body", "--files")
        assert (failed.returncode, failed.stdout) == (4, "")
        assert "the file store cannot be read" in failed.stderr

    working(tell, send=INLINE)


def test_raw_bytes_are_put_where_a_ticket_says_and_the_message_names_the_place(
    working: Working, office: Office
) -> None:
    put = (
        f"direction: ask\ntitle: 存放\nmethod: PUT\npath: {{text: '/raw/{{file.name}}'}}\n{TOKEN}"
        "format: bytes\ncontent_type: image/jpeg\nbody: {from: file.content}\n"
    )
    send = (
        f"{SEND}before: {{places: {{ask: put, each: case.attachments}}}}\n"
        "body: {no: {from: case.reference}, at: {from: before.places, each: {from: $headers.location}}}\n"
    )

    async def tell(desk: Desk) -> None:
        assert await deliver(desk) == ("acknowledged", 1, False)
        assert office.files == {
            f"/raw/{number}.jpg": (f"/raw/{number}.jpg", "image/jpeg", content)
            for number, content in enumerate(PICTURES.values(), 1)
        }
        assert office.orders[0]["at"] == ["/stored/raw/1.jpg", "/stored/raw/2.jpg"]

    working(tell, send=send, put=put)


@pytest.mark.parametrize("how", ["inline", "uploaded"])
def test_a_file_beyond_what_a_message_may_carry_is_left_out_and_people_are_told(
    working: Working, office: Office, how: str
) -> None:
    system = SYSTEM.replace("timeout: 2", "timeout: 2, max_file: 4000")
    large = PICTURES | {FIRST: bytes(5000)}

    async def tell(desk: Desk) -> None:
        assert await deliver(desk) == ("acknowledged", 1, False)
        [order] = office.orders
        assert len(order.get("pics") or order["fileIds"]) == 1
        named = "send" if how == "inline" else "upload"
        note = f"{named}: file 1 of 2 was left out: 5000 bytes, and 4000 are left of max_file 4000"
        assert await told(desk) == note
        assert any(row[3] == note for row in await journal(desk))

    send = INLINE if how == "inline" else WITH_IDS
    working(tell, system, pictures=large, send=send, upload=UPLOAD)


def test_a_message_waits_for_files_on_their_way_and_that_is_no_attempt(working: Working, office: Office) -> None:
    async def tell(desk: Desk) -> None:
        assert await deliver(desk) == ("pending", 0, False)
        assert await told(desk) == "waits for 1 of 2 files that are still on their way here"
        assert office.asked == []
        desk.after = timedelta(seconds=2)
        await brought(desk, PICTURES)
        assert await deliver(desk, after=3) == ("acknowledged", 1, False)
        assert len(office.orders[0]["pics"]) == 2

    working(tell, pictures={FIRST: PICTURES[FIRST]}, send=f"{INLINE}wait_files: 60\n")


def test_a_message_goes_without_a_file_that_did_not_come_in_time(working: Working, office: Office) -> None:
    async def tell(desk: Desk) -> None:
        assert (await deliver(desk))[0] == "pending"
        assert await deliver(desk, after=61) == ("acknowledged", 1, False)
        assert [one["name"] for one in office.orders[0]["pics"]] == ["1.jpg"]
        assert await told(desk) == "send: file 2 of 2 was left out: it is not here yet"

    working(tell, pictures={FIRST: PICTURES[FIRST]}, send=f"{INLINE}wait_files: 60\n")


def test_a_message_does_not_wait_for_a_file_that_is_gone(working: Working, office: Office) -> None:
    async def tell(desk: Desk) -> None:
        desk.after = timedelta(seconds=2)
        await brought(desk, {}, gone=True)
        assert await deliver(desk, after=3) == ("acknowledged", 1, False)
        assert await told(desk) == "upload: file 2 of 2 was left out: it could not be fetched"
        assert len(office.files) == 1

    waiting = f"{UPLOAD}wait_files: 60\n"
    working(tell, pictures={FIRST: PICTURES[FIRST]}, send=WITH_IDS, upload=waiting)


def test_a_file_that_is_damaged_in_the_store_is_left_out_and_never_sent_as_another(
    working: Working, office: Office
) -> None:
    async def tell(desk: Desk) -> None:
        store = FileStore(desk.hub.settings.file_folder)
        store.path(hashlib.sha256(PICTURES[FIRST]).hexdigest()).write_bytes(b"other")
        store.path(hashlib.sha256(PICTURES[SECOND]).hexdigest()).unlink()
        assert await deliver(desk) == ("acknowledged", 1, False)
        assert office.orders[0]["pics"] == []
        assert (await told(desk)).count("not in the file store any more, or damaged there") == 2

    working(tell, send=INLINE)


def test_an_office_that_is_away_for_a_day_after_the_wait_is_told_to_a_person(working: Working, office: Office) -> None:
    async def tell(desk: Desk) -> None:
        office.wrong["/orders"] = [500] * 9
        assert (await deliver(desk))[0] == "pending"
        assert (await deliver(desk, after=Retry().end.total_seconds() + 1800))[0] == "pending"
        assert (await deliver(desk, after=Retry().end.total_seconds() + 4200))[0] == "parked"

    working(tell, send=f"{INLINE}wait_files: 3600\n")


# Workers that die


async def killed_after_upload(url: str, folder: str, office_url: str) -> None:
    """In a process of its own: a worker that is killed when the first upload has been answered."""
    from gateway.configuration import load
    from gateway.settings import example_city
    from storage.outbox import Outbox

    class Killed(Outbox):
        async def asked(self, *given: Any, **_: Any) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

    root = Path(folder)
    system = adapters.load(root / NAME, {"user": "示例"}, name=NAME)
    connected = ConnectedSystem(system=system, url=office_url, every=None, concurrency=2, paused=False)
    async with desk(load(example_city(), ENVIRONMENT), url, connected, data=root) as one:
        object.__setattr__(one.hub, "outbox", Killed(one.hub.store))
        one.session.renew()
        await deliver(one)


def test_a_worker_killed_between_upload_and_message_uploads_again_and_the_order_comes_once(
    working: Working, office: Office, server: Server, database_url: str, tmp_path: Path
) -> None:
    async def tell(desk: Desk) -> None:
        script = (
            "import asyncio, sys; from tests.gateway.test_asked_first import killed_after_upload;"
            " asyncio.run(killed_after_upload(*sys.argv[1:]))"
        )
        command = [sys.executable, "-c", script, database_url, str(tmp_path), server.url]
        environment = os.environ | ENVIRONMENT

        def run() -> subprocess.CompletedProcess[bytes]:
            return subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, timeout=60)

        done = await asyncio.to_thread(run)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert office.asked == ["POST /login", "POST /files"]
        assert await state(desk) == ("sent", 1, False)

        lease = desk.deliverer().lease.total_seconds()
        assert await deliver(desk, after=lease + 1) == ("acknowledged", 2, False)
        assert office.count("POST /files") == 4  # one of the lost worker, one that met the old token, two that counted
        assert len(office.orders) == 1

    working(tell, send=WITH_IDS.replace("repeat: safe", "repeat: never"), upload=UPLOAD)


def test_a_worker_that_was_taken_for_dead_while_it_asked_sends_nothing(working: Working, office: Office) -> None:
    async def tell(desk: Desk) -> None:
        desk.session.renew()
        slow = desk.deliverer()
        taken: list[Any] = []

        def overtaken() -> None:
            """While the salt is asked for, the lease runs out and another worker has the delivery."""
            desk.after = slow.lease * 3
            claiming = desk.hub.outbox.claim([Wanted(NAME, 1, timedelta(minutes=5))], now=desk.hub.now())
            taken.append(asyncio.run_coroutine_threadsafe(claiming, loop).result(10))

        loop = asyncio.get_running_loop()
        office.meanwhile["/salt"] = overtaken
        await take_up(slow)
        await slow.drained()
        slow._threads.shutdown()
        assert len(taken[0]) == 1
        assert office.orders == []
        assert await state(desk) == ("sent", 2, False)

    working(tell, send=SIGNED)
