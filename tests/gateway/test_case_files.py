"""Files of a case at the API: what they show, their bytes, small pictures; and nothing that is sent runs."""

import asyncio
import hashlib
import io
from typing import Any

import asyncpg
import pytest
from PIL import Image

from canonical.lifecycle import ActionKind
from canonical.report import Attachment
from canonical.rights import EVERYTHING, Role
from gateway.case_files.listing import files_view
from storage.attachments import Attachments
from storage.files import FileStore
from tests.gateway.people_desk import Desk, desk
from tests.gateway.pushes import NAME, PHONE, grid, hotline, record, ticket
from tests.gateway.running import HubUnderTest
from tests.routing.intake_city import by_owner, by_source, reported
from tests.storage.storeroom import Storeroom, story

__all__ = ["desk"]

ORIENTATION, GPS = 0x0112, 0x8825


def photo(width: int = 640, height: int = 480, *, kind: str = "JPEG", mode: str = "RGB") -> bytes:
    """A picture whose left half is dark, taken with the camera on its side, with where it was taken."""
    picture = Image.new(mode, (width, height), "white")
    picture.paste("navy" if mode != "L" else 0, (0, 0, width // 2, height))
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # turn it clockwise: what is left comes to the top
    exif.get_ifd(GPS)[2] = (31.0, 20.0, 0.0)
    buffer = io.BytesIO()
    picture.save(buffer, kind, exif=exif.tobytes()) if kind == "JPEG" else picture.save(buffer, kind)
    return buffer.getvalue()


FILES = {
    "photo.jpg": photo(), "clear.png": photo(kind="PNG", mode="RGBA"), "grey.png": photo(kind="PNG", mode="L"),
    "page.html": b"<html><script>alert(1)</script></html>", "page.jpg": b"<html><script>alert(1)</script></html>",
    "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "paper.pdf": b"%PDF-1.7 no more",
    "cut.jpg": photo()[:700], "film.mp4": b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40, "empty.txt": b"",
}  # fmt: skip
INLINE = {"photo.jpg", "clear.png", "grey.png", "cut.jpg", "film.mp4", "paper.pdf"}


@pytest.fixture
def no(hub: HubUnderTest) -> str:
    """The number of a case with these files, all fetched but one."""
    urls = [f"http://example.invalid/{name}" for name in (*FILES, "late.jpg")]
    assert grid(record("50001", EventPhotos=urls)).to(hub).json()["Ret"] == 0
    store = FileStore(hub.settings.file_folder)

    async def fetched() -> None:
        connection = await asyncpg.connect(hub.database_url.replace("+asyncpg", ""))
        for name, content in FILES.items():
            kept = store.put(content)
            await connection.execute(
                "UPDATE attachment SET state = 'stored', sha256 = $1, size = $2, name = $3 WHERE url = $4",
                kept.sha256, kept.size, f"现场 {name}", f"http://example.invalid/{name}",
            )  # fmt: skip
        await connection.close()

    asyncio.run(fetched())
    return str(hub.case("50001")["no"])


def asked(hub: HubUnderTest, no: str, name: str, query: str = "", **headers: str) -> Any:
    """The answer for one of the files."""
    digest = hashlib.sha256(FILES[name]).hexdigest()
    return hub.client.get(f"/api/cases/{no}/files/{digest}{query}", headers=hub.centre | headers)


def test_files_are_listed_with_what_they_show(hub: HubUnderTest, no: str) -> None:
    items = hub.get(f"/api/cases/{no}/files")["items"]

    assert len(items) == len(FILES) + 1
    assert {(one["shows"], one["action"], one["seq"], one["system"]) for one in items} == {
        ("before", "collect", 1, "social_governance")
    }
    [late] = [one for one in items if one["state"] == "waiting"]
    assert (late["sha256"], late["size"]) == (None, None)
    [message] = {one["message"] for one in items}
    assert hub.rows("SELECT count(*) AS n FROM message WHERE id = $1", message)[0]["n"] == 1
    assert hub.client.get(f"/api/cases/{no}/files/{late['id']}", headers=hub.centre).status_code == 404


def test_bytes_come_as_what_they_are_and_nothing_runs(hub: HubUnderTest, no: str) -> None:
    for name, content in FILES.items():
        answer = asked(hub, no, name)
        assert answer.content == content, name
        assert answer.headers["content-type"].partition(";")[0] not in {"text/html", "image/svg+xml"}, name
        assert answer.headers["content-disposition"].partition(";")[0] == (
            "inline" if name in INLINE else "attachment"
        ), name
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert asked(hub, no, name, **{"if-none-match": answer.headers["etag"]}).status_code == 304


def test_a_film_comes_in_ranges(hub: HubUnderTest, no: str) -> None:
    whole = FILES["film.mp4"]
    part = asked(hub, no, "film.mp4", range="bytes=100-199")

    assert (part.status_code, part.content) == (206, whole[100:200])
    assert asked(hub, no, "film.mp4", range="bytes=-10").content == whole[-10:]
    assert asked(hub, no, "film.mp4", range="bytes=99999999-").status_code == 416
    for broken in ("lines=1-2", "bytes=x", "bytes=5-2", "bytes="):
        assert asked(hub, no, "film.mp4", range=broken).status_code in {200, 400, 416}, broken


def test_a_small_picture_stands_upright_and_does_not_tell_where_it_was_taken(hub: HubUnderTest, no: str) -> None:
    answer = asked(hub, no, "photo.jpg", "?size=64")

    assert answer.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(answer.content)) as small:
        assert small.size == (48, 64)
        assert len(small.getexif()) == 0
        grey = small.convert("L").tobytes()
        assert grey[8 * 48 + 24] < 100 < grey[56 * 48 + 24], "what was left is on top"
    assert asked(hub, no, "photo.jpg", "?size=64", **{"if-none-match": answer.headers["etag"]}).status_code == 304
    for name in ("clear.png", "grey.png"):
        assert asked(hub, no, name, "?size=320").status_code == 200, name


def bomb() -> bytes:
    """A picture of few bytes that says it is very large."""
    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
    return buffer.getvalue()


def test_what_is_no_picture_says_so(hub: HubUnderTest, no: str) -> None:
    for name in ("page.html", "page.jpg", "drawing.svg", "paper.pdf", "cut.jpg", "film.mp4", "empty.txt"):
        answer = asked(hub, no, name, "?size=64")
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "no_picture"), name
    for query in ("?size=1", "?size=99999", "?size=x"):
        assert asked(hub, no, "photo.jpg", query).status_code == 422
    FileStore(hub.settings.file_folder).path(hashlib.sha256(FILES["photo.jpg"]).hexdigest()).write_bytes(bomb())
    assert "pixels" in asked(hub, no, "photo.jpg", "?size=65").json()["error"]["text"]


def test_a_file_that_is_not_there_is_404(hub: HubUnderTest, no: str) -> None:
    for name in ("x", "0" * 64, "..%2f..%2fetc%2fpasswd", "%00"):
        assert hub.client.get(f"/api/cases/{no}/files/{name}", headers=hub.centre).status_code in {404, 422}, name
    FileStore(hub.settings.file_folder).path(hashlib.sha256(FILES["photo.jpg"]).hexdigest()).unlink()
    assert asked(hub, no, "photo.jpg").json()["error"]["code"] == "file_missing"
    assert asked(hub, no, "photo.jpg", "?size=64").json()["error"]["code"] == "file_missing"


def test_files_and_reporters_are_shown_to_whom_they_concern(hub: HubUnderTest, no: str, desk: Desk) -> None:
    assert hotline(ticket("1")).to(hub).json()["custom"]["code"] == "1"
    other = str(hub.case("t-1")["no"])
    digest = hashlib.sha256(FILES["photo.jpg"]).hexdigest()
    district = desk.person("jinghu", Role.DISTRICT_CENTRE, areas=("340202",))
    street = desk.person("zheshan", Role.STREET_CENTRE, areas=("340202",))
    paths = ("files", f"files/{digest}", f"files/{digest}?size=64", "reporter?reason=call+back")

    assert {district.get(f"/api/cases/{no}/{path}").status_code for path in paths} == {404}
    assert street.get(f"/api/cases/{other}/reporter?reason=call+back").status_code == 403
    assert district.get(f"/api/cases/{other}/reporter").status_code == 422
    assert district.get(f"/api/cases/{other}/reporter?reason=%20%20%20").status_code == 422
    assert hub.rows("SELECT 1 FROM viewing") == []
    shown = district.get("/api/cases/t-1/reporter?reason=call+back").json()
    assert shown == {"no": other, "name": NAME, "phone": PHONE, "withheld": False}
    assert [tuple(row.values()) for row in hub.rows("SELECT login, what, case_no, reason FROM viewing")] == [
        ("jinghu", "reporter", other, "call back")
    ]


def test_what_a_file_shows_depends_on_what_brought_it(database_url: str) -> None:
    async def tell(room: Storeroom) -> None:
        def with_file(name: str) -> tuple[Attachment, ...]:
            return (Attachment(url=f"http://example.invalid/{name}"),)

        await room.take(reported("hotline", "1"))
        no = (await room.case()).reference
        await room.take(by_source("hotline", "1", ActionKind.COMMENT, attachments=with_file("source")))
        await room.take(by_owner("works", "", ActionKind.ASK_EXTENSION, reference=no, attachments=with_file("asked")))
        await room.take(by_owner("works", "", ActionKind.DISPOSE, reference=no, attachments=with_file("done")))
        await room.take(by_owner("works", "", ActionKind.COMMENT, reference=no, attachments=with_file("later")))
        journey = await room.casebook.journey("1", scope=EVERYTHING)
        assert journey is not None

        rows = await Attachments(room.store).of_case(journey.case.id)

        shown = {one["shows"] + " " + one["action"] for one in files_view(rows, journey.events)}
        assert shown == {"before comment", "evidence ask_extension", "after dispose", "after comment"}

    story(database_url, tell)
