"""Fetching the files of cases: what each answer leads to, patience and its end, and bytes that came along."""

from datetime import timedelta

from canonical.errors import ContractViolation, InDoubt, Misconfigured, Refused, Unauthenticated, Unavailable
from canonical.message import Message
from gateway.fetch import GIVE_UP, pause
from gateway.media import UNKNOWN
from storage.attachments import DueFile, FileState
from tests.gateway.fetch_desk import (
    CASE,
    LOGIN_PAGE,
    PICTURE,
    Desk,
    Platform,
    Reply,
    Working,
    digest,
    platform,
    raising,
    served,
    working,
)

__all__ = ["platform", "served", "working"]


def test_a_fetched_file_is_stored_and_its_bytes_tell_what_it_is(working: Working, platform: Platform) -> None:
    async def tell(desk: Desk) -> None:
        platform.replies["/1"] = [Reply(headers={"content-type": "text/html"})]  # which many servers say of anything
        row = await desk.one(f"{platform.url}/1", name="现场.jpg")

        assert (row.state, row.sha256, row.size) == (FileState.STORED, digest(PICTURE), len(PICTURE))
        assert (row.media, row.text) == ("image/jpeg", "")
        assert desk.files.read(row.sha256) == PICTURE
        assert await desk.work(after=timedelta(days=1)) == 0

    working(tell)


ANSWERS = {
    404: (FileState.GONE, "expired (HTTP 404)"),
    410: (FileState.GONE, "expired (HTTP 410)"),
    400: (FileState.GONE, "refused for ever (HTTP 400)"),
    451: (FileState.GONE, "refused for ever (HTTP 451)"),
    204: (FileState.WAITING, "not given now (HTTP 204)"),
    304: (FileState.WAITING, "not given now (HTTP 304)"),
    408: (FileState.WAITING, "not given now (HTTP 408)"),
    429: (FileState.WAITING, "not given now (HTTP 429)"),
    500: (FileState.WAITING, "not given now (HTTP 500)"),
    503: (FileState.WAITING, "not given now (HTTP 503)"),
    403: (FileState.WAITING, "the system does not let us have it (HTTP 403)"),
}


def test_what_an_answer_leads_to(working: Working, platform: Platform) -> None:
    async def tell(desk: Desk) -> None:
        for status in ANSWERS:
            platform.replies[f"/{status}.jpg"] = [Reply(status, b"" if status in {204, 304} else PICTURE)]
            await desk.add(f"{platform.url}/{status}.jpg")
        await desk.work()

        found = {row.url: (row.state, row.text) for row in await desk.rows.of_case(CASE)}
        assert found == {f"{platform.url}/{status}.jpg": expected for status, expected in ANSWERS.items()}

    working(tell, concurrency=20, each=20)


ERRORS = {
    "/1": (Unavailable("no connection"), FileState.WAITING),
    "/2": (InDoubt("no whole answer"), FileState.WAITING),
    "/3": (Misconfigured("no address"), FileState.WAITING),
    "/4": (Unauthenticated("who are you"), FileState.WAITING),
    "/5": (Refused("too large"), FileState.GONE),
    "/6": (ContractViolation("no such scheme"), FileState.GONE),
}


def test_what_an_error_leads_to(working: Working) -> None:
    def fetch(_system: str, file: DueFile) -> Message:
        raise ERRORS[file.url][0]

    async def tell(desk: Desk) -> None:
        for url in ERRORS:
            await desk.add(url)
        await desk.work()

        found = {row.url: (row.text, row.state) for row in await desk.rows.of_case(CASE)}
        assert found == {url: (str(error), state) for url, (error, state) in ERRORS.items()}

    working(tell, fetch, concurrency=6, each=6)


def test_a_file_that_is_too_large_is_gone(working: Working, platform: Platform) -> None:
    async def tell(desk: Desk) -> None:
        platform.replies["/1.mp4"] = [Reply(body=b"x" * 10_001)]
        row = await desk.one(f"{platform.url}/1.mp4")

        assert (row.state, "more than 10000 bytes" in row.text) == (FileState.GONE, True)

    working(tell)


WORDS = (
    Reply(body=LOGIN_PAGE, headers={"content-type": "text/html;charset=utf-8"}),
    Reply(body=LOGIN_PAGE, headers={"content-type": "image/jpeg"}),
    Reply(body=b'{"code": 401, "msg": "token expired"}', headers={"content-type": "application/json"}),
    Reply(body=b""),
)


def test_words_in_the_place_of_a_picture_are_no_picture(working: Working, platform: Platform) -> None:
    async def tell(desk: Desk) -> None:
        for number, reply in enumerate(WORDS):
            platform.replies[f"/file?id={number}"] = [reply]
            await desk.add(f"{platform.url}/file?id={number}", name="现场照片")
        await desk.work()
        assert await desk.rows.counts() == {"hotline": {FileState.WAITING: len(WORDS)}}

        await desk.work(after=GIVE_UP + timedelta(seconds=1))
        assert await desk.rows.counts() == {"hotline": {FileState.GONE: len(WORDS)}}
        assert [path for path in desk.files.root.rglob("*") if path.is_file()] == []

    working(tell, concurrency=4, each=4)


def test_a_page_that_is_called_a_page_is_stored_as_mere_bytes(working: Working, platform: Platform) -> None:
    async def tell(desk: Desk) -> None:
        platform.replies["/说明.html"] = platform.replies["/%E8%AF%B4%E6%98%8E.html"] = [Reply(body=LOGIN_PAGE)]
        row = await desk.one(f"{platform.url}/说明.html")

        assert (row.state, row.media) == (FileState.STORED, UNKNOWN)

    working(tell)


# Patience


def test_a_file_for_later_waits_longer_each_time_until_an_hour() -> None:
    waits = [pause(attempts, None, chance=1.0).total_seconds() for attempts in (1, 2, 3, 10, 11, 500)]

    assert waits == [5, 10, 20, 2560, 3600, 3600]
    assert pause(3, None, chance=0.0) == timedelta(seconds=10)
    assert pause(1, 120.0, chance=0.0) == timedelta(seconds=120)
    assert pause(1, 1e300, chance=0.0) == timedelta(hours=1)


def test_a_file_comes_when_the_system_is_back(working: Working, platform: Platform) -> None:
    async def tell(desk: Desk) -> None:
        platform.replies["/1.jpg"] = [Reply(503), Reply(500), Reply()]
        await desk.one(f"{platform.url}/1.jpg")
        assert await desk.work(after=timedelta(seconds=2)) == 0
        assert await desk.work(after=timedelta(seconds=5)) == 1
        assert await desk.work(after=timedelta(seconds=15)) == 1

        assert (await desk.only()).state is FileState.STORED

    working(tell)


def test_a_system_that_asks_us_to_wait_is_given_the_time(working: Working, platform: Platform) -> None:
    async def tell(desk: Desk) -> None:
        platform.replies["/1.jpg"] = [Reply(503, headers={"retry-after": "600"}), Reply()]
        await desk.one(f"{platform.url}/1.jpg")

        assert await desk.work(after=timedelta(seconds=599)) == 0
        assert await desk.work(after=timedelta(seconds=600)) == 1

    working(tell)


def test_after_seven_days_the_case_keeps_the_reference_alone(working: Working, platform: Platform) -> None:
    async def tell(desk: Desk) -> None:
        platform.replies["/1.jpg"] = [Reply(503)]
        await desk.one(f"{platform.url}/1.jpg")
        await desk.work(after=GIVE_UP)
        assert (await desk.only()).state is FileState.WAITING
        await desk.work(after=GIVE_UP + timedelta(hours=1))

        row = await desk.only()
        assert (row.state, row.text) == (FileState.GONE, "given up after 7 days: not given now (HTTP 503)")
        assert row.url == f"{platform.url}/1.jpg"

    working(tell)


def test_a_disk_of_ours_that_does_not_work_is_never_a_reason_to_give_up(working: Working, platform: Platform) -> None:
    async def tell(desk: Desk) -> None:
        desk.files.root.write_text("in the way")
        row = await desk.one(f"{platform.url}/1.jpg", after=GIVE_UP * 2)
        assert (row.state, "file store" in row.text) == (FileState.WAITING, True)

        desk.files.root.unlink()
        await desk.work(after=GIVE_UP * 3)
        assert (await desk.only()).state is FileState.STORED

    working(tell)


# Signing in


def test_who_is_not_let_in_signs_in_once_and_asks_again(working: Working, platform: Platform) -> None:
    signed: list[str] = []

    def sign_in(system: str) -> bool:
        signed.append(system)
        return True

    async def tell(desk: Desk) -> None:
        platform.replies["/1.jpg"] = [Reply(401), Reply(), Reply(403)]
        assert (await desk.one(f"{platform.url}/1.jpg")).state is FileState.STORED
        assert signed == ["hotline"]

        await desk.add(f"{platform.url}/2.jpg")
        platform.replies["/2.jpg"] = [Reply(403)]
        await desk.work()
        assert signed == ["hotline"] * 2
        assert [row.state for row in await desk.rows.of_case(CASE)] == [FileState.STORED, FileState.WAITING]

    working(tell, sign_in=sign_in)


SIGNING_IN: dict[str, Exception] = {
    "a": Unavailable("nobody there"), "b": Refused("wrong password"), "c": InDoubt("silence"),
}  # fmt: skip


def test_a_failed_signing_in_says_nothing_about_the_file(working: Working) -> None:
    def sign_in(system: str) -> bool:
        raise SIGNING_IN[system]

    async def tell(desk: Desk) -> None:
        for system in SIGNING_IN:
            await desk.add(f"/{system}.jpg", system=system)
        await desk.work()
        assert await desk.rows.counts() == {system: {FileState.WAITING: 1} for system in SIGNING_IN}

    working(tell, raising(Unauthenticated("who are you")), sign_in=sign_in)


# Bytes that came with the message


def test_inline_bytes_go_to_the_store_and_nobody_is_asked(working: Working, platform: Platform) -> None:
    async def tell(desk: Desk) -> None:
        row = await desk.one(f"inline:sha256:{digest(PICTURE)}", content=PICTURE)

        assert (row.state, row.sha256, row.media) == (FileState.STORED, digest(PICTURE), "image/jpeg")
        assert desk.files.read(row.sha256) == PICTURE
        assert platform.asked == []

    working(tell)


def test_inline_bytes_that_are_not_the_named_ones_are_not_stored(working: Working) -> None:
    async def tell(desk: Desk) -> None:
        row = await desk.one(f"inline:sha256:{digest(PICTURE)}", content=PICTURE + b"!")

        assert (row.state, row.sha256) == (FileState.GONE, "")
        assert not desk.files.verify(digest(PICTURE + b"!"))

    working(tell)


def test_named_bytes_that_did_not_come_are_found_when_another_case_brought_them(working: Working) -> None:
    async def tell(desk: Desk) -> None:
        desk.files.put(PICTURE)
        row = await desk.one(f"inline:sha256:{digest(PICTURE)}")
        assert (row.state, row.size, row.media) == (FileState.STORED, len(PICTURE), "image/jpeg")

        await desk.add(f"inline:sha256:{digest(b'never')}")
        await desk.add("inline:sha256:nonsense")
        await desk.work()
        assert [row.state for row in await desk.rows.of_case(CASE)].count(FileState.GONE) == 2

    working(tell)
