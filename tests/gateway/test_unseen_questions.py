"""Two platforms as vendors write them, connected by their manuals alone: what they want to be asked first, and files.

The first hands out a fresh public key for every signing in, a ticket for every page and every download, and a header
token for every change. The second stores objects at addresses it signs, and is told of them in XML.
"""

import asyncio
import base64
import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

import adapters
from canonical.errors import Unauthenticated
from gateway.certify.run import PASSED
from gateway.configuration import Configuration, ConnectedSystem
from gateway.fetch import Fetcher
from gateway.file_sources import FileSources
from gateway.stub import Stub
from gateway.stub import server as stub_server
from storage.attachments import DueFile
from storage.files import FileStore
from tests.gateway.conftest import Certify
from tests.gateway.picture_office import Served, serving
from tests.gateway.pulling import NAME, Desk, desk
from tests.gateway.pushes import FORM, HOTLINE, hotline, ticket
from tests.gateway.test_asked_first import PICTURES, brought, deliver, told
from tests.gateway.test_certify import chosen, outcomes
from tests.gateway.test_find_by_number import order

PICTURE = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(2000) + b"\xff\xd9"

# --- keys, tickets and header tokens ---

APPEALS = {
    "system.yaml": """\
title: 民意诉求平台
edition: "1"
roles: [source]
secrets: {user: {title: 登录名}, word: {title: 口令}}
connector: {protocol: http, timeout: 2}
sign_in: {message: login, token: data.token, secrets: [user, word]}
common: {headers: {Authorization: {from: session}}}
files: {fetch: download, secret_urls: true}
pulls: {appeals: {every: 60, page_size: 2, ask: list, items: data.rows, messages: [appeal]}}
tells: {source: {cancel: reply}}
answers:
  result:
    shape: [json]
    rows:
      - {http: "401", then: unauthenticated}
      - {http: 5xx, then: unavailable}
      - {when: {code: 200}, then: accepted}
      - {when: {code: {present: "yes"}}, then: refused, text: {from: msg}, code: {from: code}}
  head: {shape: [text], rows: [{http: "401", then: unauthenticated}, {http: 2xx, then: accepted}]}
  file: {shape: [text], rows: [{http: 2xx, then: accepted}]}
""",
    "contract/appeal.schema.json": json.dumps(
        {
            "type": "object",
            "required": ["id"],
            "properties": {
                "id": {"type": "integer"},
                "content": {"type": "string"},
                "pics": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"fid": {"type": "string"}, "title": {"type": "string"}}},
                },
            },
        }
    ),
    "messages/appeal.yaml": """\
direction: in
title: 诉求
contract: appeal.schema.json
external_id: {from: id, as: text}
report:
  title: {from: content, cut: 20}
  description: {from: content}
  attachments: {from: pics, url: {from: fid}, id: {from: fid}, name: {from: title}}
""",
    "messages/publicKey.yaml": "direction: ask\ntitle: 取公钥\nmethod: GET\npath: /getPublicKey\nanswer: result\n",
    "messages/login.yaml": """\
direction: ask
title: 登录
path: /login
answer: result
before: {key: publicKey}
body:
  username: {secret: user}
  keyId: {from: before.key.data.keyId}
  password: {secret: word, encrypt: {cipher: rsa-pkcs1, key: {from: before.key.data.publicKey}}}
""",
    "messages/ticket.yaml": "direction: ask\ntitle: 取票\npath: /ticket\nanswer: result\n",
    "messages/list.yaml": """\
direction: ask
title: 诉求列表
method: GET
path: /appeals
query: {page: {from: pull.page}, size: {from: pull.page_size}, ticket: {from: before.ticket.data.ticket}}
before: {ticket: ticket}
answer: result
""",
    "messages/download.yaml": """\
direction: ask
title: 下载
method: GET
path: {text: "/download/{file.id}"}
query: {ticket: {from: before.ticket.data.ticket}}
before: {ticket: ticket}
answer: file
""",
    "messages/csrf.yaml": "direction: ask\ntitle: 取令牌\nmethod: HEAD\npath: /csrf\nanswer: head\n",
    "messages/reply.yaml": """\
direction: out
title: 回复
repeat: safe
before: {csrf: csrf}
path: /reply
headers: {X-Csrf-Token: {from: before.csrf.$headers.x-csrf-token}}
format: fields
answer: result
body:
  id: {from: binding.external_id}
  text: {from: action.reason}
  pic: {from: case.attachments.0.content, encode: base64}
""",
}


class Appeals:
    """The first platform: every key, ticket and token is good for one request."""

    def __init__(self) -> None:
        self.keys: dict[str, rsa.RSAPrivateKey] = {}
        self.good: set[str] = set()
        self.session = ""
        self.replies: list[dict[str, list[str]]] = []
        self.number = 0
        self.answered: list[str] = []

    def fresh(self, letter: str) -> str:
        """Something to be used once."""
        self.number += 1
        self.good.add(f"{letter}{self.number}")
        return f"{letter}{self.number}"

    def used(self, given: str | None) -> bool:
        """True the first time."""
        there = given in self.good
        self.good.discard(given or "")
        return there

    def answer(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Served:
        """As its manual says."""
        self.answered.append(path)
        if path == "/getPublicKey":
            name, key = self.fresh("k"), rsa.generate_private_key(65537, 2048)
            self.keys[name] = key
            der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            return Served({"code": 200, "data": {"publicKey": base64.b64encode(der).decode(), "keyId": name}})
        if path == "/login":
            given = json.loads(body)
            word = self.keys.pop(given["keyId"]).decrypt(base64.b64decode(given["password"]), padding.PKCS1v15())
            if word != "示例口令".encode():
                return Served({"code": 500, "msg": "口令错误"})
            self.session = self.fresh("t")
            return Served({"code": 200, "data": {"token": self.session}})
        if headers.get("authorization") != self.session or not self.session:
            return Served({"code": 401, "msg": "未登录"}, 401)
        if path == "/ticket":
            return Served({"code": 200, "data": {"ticket": self.fresh("p")}})
        if path == "/csrf":
            return Served(b"", 204 if method == "GET" else 200, {"x-csrf-token": self.fresh("c")})
        if path == "/reply":
            if not self.used(headers.get("x-csrf-token")):
                return Served({"code": 403, "msg": "令牌已用"})
            self.replies.append(parse_qs(body.decode()))
            return Served({"code": 200})
        if not self.used(query.get("ticket")):
            return Served({"code": 403, "msg": "票已用"}, 200 if path == "/appeals" else 503)
        if path.startswith("/download/"):
            return Served(PICTURE, 200, {"content-type": "image/jpeg"})
        rows = [
            {"id": number, "content": f"示例诉求{number}", "pics": [{"fid": f"f{number}", "title": "a.jpg"}]}
            for number in (1, 2, 3)
        ]
        page = int(query["page"])
        return Served({"code": 200, "data": {"rows": rows[(page - 1) * 2 : page * 2]}})


def test_a_platform_that_wants_a_key_a_ticket_and_a_token_for_everything_is_pulled_fetched_and_told(
    database_url: str, tmp_path: Path, configuration: Configuration
) -> None:
    appeals = Appeals()

    async def run(url: str) -> None:
        connected = connect(tmp_path, url, APPEALS, user="示例", word="示例口令")
        async with desk(configuration, database_url, connected, data=tmp_path) as one:
            await one.round()
            assert await one.known() == ["1", "2", "3"]
            await fetched(one)
            [(stored,)] = await one.rows("SELECT count(*) FROM attachment WHERE state = 'stored'")
            assert stored == 3
            [(no,)] = await one.rows(
                "SELECT c.no FROM cases c JOIN binding b ON b.case_id = c.id WHERE b.external_id = '2'"
            )
            await order(one, no, '{"kind": "cancel", "reason": "重复上报"}'.encode())
            assert await deliver(one) == ("acknowledged", 1, False)

    with serving(appeals.answer) as url:
        asyncio.run(run(url))
    [reply] = appeals.replies
    assert (reply["id"], reply["text"]) == (["2"], ["重复上报"])
    assert base64.b64decode(reply["pic"][0]) == PICTURE


def test_two_files_that_found_a_token_refused_at_once_share_the_new_one(
    database_url: str, tmp_path: Path, configuration: Configuration
) -> None:
    appeals = Appeals()

    async def run(url: str) -> None:
        connected = connect(tmp_path, url, APPEALS, user="示例", word="示例口令")
        async with desk(configuration, database_url, connected, data=tmp_path) as one:
            with FileSources(one.hub) as sources, ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
                file = DueFile(UUID(int=1), NAME, "f1", "", 1, None, one.hub.now(), id="f1")
                for thread in (first, second):
                    with pytest.raises(Unauthenticated):
                        thread.submit(sources.fetch, NAME, file).result()
                assert [thread.submit(sources.sign_in, NAME).result() for thread in (first, second)] == [True, True]
                assert appeals.answered.count("/login") == 1
                for thread in (first, second):
                    assert thread.submit(sources.fetch, NAME, file).result().body == PICTURE

    with serving(appeals.answer) as url:
        asyncio.run(run(url))


def test_words_with_http_200_in_the_place_of_a_file_may_say_that_the_token_is_refused(
    database_url: str, tmp_path: Path, configuration: Configuration
) -> None:
    appeals = Appeals()
    taken = "      - {when: {code: 200}, then: accepted}\n"
    rows = APPEALS["system.yaml"].replace(taken, f"      - {{when: {{code: 401}}, then: unauthenticated}}\n{taken}")
    download = 'direction: ask\ntitle: 下载\nmethod: GET\npath: {text: "/download/{file.id}"}\nanswer: result\n'
    folder = APPEALS | {"system.yaml": rows, "messages/download.yaml": download}

    def answer(method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> Served:
        if not path.startswith("/download/"):
            return appeals.answer(method, path, query, headers, body)
        if not appeals.session or headers.get("authorization") != appeals.session:
            return Served({"code": 401, "msg": "登录失效"})
        return Served(PICTURE, 200, {"content-type": "image/jpeg"})

    async def run(url: str) -> None:
        connected = connect(tmp_path, url, folder, user="示例", word="示例口令")
        async with desk(configuration, database_url, connected, data=tmp_path) as one:
            file = DueFile(UUID(int=1), NAME, "f1", "", 1, None, one.hub.now(), id="f1")
            with FileSources(one.hub) as sources:
                with pytest.raises(Unauthenticated):
                    sources.fetch(NAME, file)
                assert sources.sign_in(NAME)
                assert sources.fetch(NAME, file).body == PICTURE

    with serving(answer) as url:
        asyncio.run(run(url))


async def fetched(desk: Desk) -> None:
    """What a worker's fetching role does, until nothing is due."""
    hub = desk.hub
    with FileSources(hub) as sources:
        fetcher = Fetcher(hub, FileStore(hub.settings.file_folder), sources.fetch, sign_in=sources.sign_in)
        while await fetcher.round():
            await fetcher.drained()
        fetcher.close()


# --- objects at signed addresses, told in XML ---

OBJECTS = {
    "system.yaml": """\
title: 城市影像库
edition: "1"
roles: [owner]
secrets: {ak: {title: 接入号}, sk: {title: 密钥}}
connector: {protocol: http, timeout: 2}
tells: {owner: {dispatch: entry}}
answers:
  presigned:
    shape: [json]
    rows: [{http: 5xx, then: unavailable}, {when: {put: {present: "yes"}}, then: accepted}]
  stored: {shape: [text], rows: [{http: 5xx, then: unavailable}, {http: 2xx, then: accepted}]}
  receipt:
    shape: [{xml: {}}, {pick: receipt}]
    rows:
      - {when: {state: accepted}, then: accepted, external_id: {from: no}}
      - {when: {state: {present: "yes"}}, then: refused, text: {from: why}}
  nonce: {shape: [text], rows: [{http: 2xx, then: accepted}]}
""",
    "messages/nonce.yaml": "direction: ask\ntitle: 取随机数\nmethod: GET\npath: /nonce\nanswer: nonce\n",
    "messages/presign.yaml": """\
direction: ask
title: 申请地址
path: /presign
answer: presigned
body:
  name: {from: file.name}
  size: {from: file.size}
  md5: {from: file.content, digest: md5}
""",
    "messages/put.yaml": """\
direction: ask
title: 存放
method: PUT
path: {from: file.put}
headers: {Content-MD5: {from: sealed.body, digest: md5, output: base64}}
format: bytes
content_type: image/jpeg
answer: stored
body: {from: file.$file.content}
""",
    "messages/entry.yaml": """\
direction: out
title: 登记
repeat: safe
before:
  places: {ask: presign, each: case.attachments}
  objects: {ask: put, each: before.places}
  nonce: nonce
path: /entries
format: xml
root: entry
answer: receipt
headers:
  X-Sign:
    of: [{secret: ak}, {from: sealed.body}]
    join: ""
    digest: hmac-sha256
    key: {of: [{secret: sk}, {from: before.nonce.text}], join: ""}
body:
  no: {from: case.reference}
  object:
    from: before.objects
    each:
      etag: {from: $headers.etag}
      key: {from: $file.key}
      name: {from: $file.$file.name}
      bytes: {from: $file.$file.size, as: text}
""",
}


class Objects:
    """The second platform: addresses it signs, objects that must be what was said, entries in XML with a nonce."""

    def __init__(self) -> None:
        self.promised: dict[str, tuple[int, str]] = {}
        self.objects: dict[str, bytes] = {}
        self.entries: list[etree._Element] = []
        self.nonces: list[str] = []
        self.lines: list[str] = []

    def answer(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Served:
        """As its manual says."""
        self.lines.append(f"{method} {path}")
        if path == "/nonce":
            self.nonces.append(f"n{len(self.nonces)}")
            return Served(self.nonces[-1].encode(), 200, {"content-type": "text/plain"})
        if path == "/presign":
            asked = json.loads(body)
            key = f"o{len(self.promised) + 1}"
            self.promised[key] = (asked["size"], asked["md5"])
            return Served({"put": f"/bucket/{key}?sig=s-{key}", "key": key})
        if path.startswith("/bucket/"):
            key = path.rpartition("/")[2]
            digest = hashlib.md5(body)
            right = query.get("sig") == f"s-{key}" and self.promised[key] == (len(body), digest.hexdigest())
            if not right or headers.get("content-md5") != base64.b64encode(digest.digest()).decode():
                return Served(b"", 403)
            self.objects[key] = body
            return Served(b"", 200, {"etag": f'"{digest.hexdigest()}"'})
        import hmac

        sign = hmac.digest(f"示例密钥{self.nonces[-1]}".encode(), "示例号".encode() + body, "sha256").hex()
        if headers.get("x-sign") != sign:
            return Served(b"<receipt><state>no</state><why>sign</why></receipt>", 200, {"content-type": "text/xml"})
        self.entries.append(etree.fromstring(body))
        return Served(b"<receipt><state>accepted</state><no>E1</no></receipt>", 200, {"content-type": "text/xml"})


def test_a_platform_that_stores_objects_at_addresses_it_signs_is_told_of_each_with_its_version(
    database_url: str, tmp_path: Path, configuration: Configuration
) -> None:
    objects = Objects()

    async def run(url: str) -> None:
        connected = connect(tmp_path, url, OBJECTS, ak="示例号", sk="示例密钥")
        async with desk(configuration, database_url, connected, data=tmp_path) as one:
            await with_pictures(one)
            assert await deliver(one) == ("acknowledged", 1, False), await told(one)
            assert "E1" in await one.known()
            sizes = await one.rows("SELECT max(octet_length(body)) FROM message WHERE direction = 'out'")
            assert sizes[0][0] < 1000

    with serving(objects.answer) as url:
        asyncio.run(run(url))
    assert objects.lines == [
        "POST /presign", "POST /presign", "PUT /bucket/o1", "PUT /bucket/o2", "GET /nonce", "POST /entries",
    ]  # fmt: skip
    assert list(objects.objects.values()) == list(PICTURES.values())
    [entry] = objects.entries
    listed = [{child.tag: child.text for child in one} for one in entry.iterchildren("object")]
    assert listed == [
        {
            "etag": f'"{hashlib.md5(content).hexdigest()}"', "key": f"o{number}", "name": f"{number}.jpg",
            "bytes": str(len(content)),
        }
        for number, content in enumerate(PICTURES.values(), 1)
    ]  # fmt: skip


# --- both, and the platform of the other tests, where there is no vendor at all ---


@pytest.mark.parametrize(
    ("files", "secrets", "kind"),
    [(APPEALS, {"user": "示例", "word": "示例口令"}, "reply"), (OBJECTS, {"ak": "示例号", "sk": "示例密钥"}, "entry")],
    ids=["appeals", "objects"],
)
def test_a_platform_that_is_only_played_answers_its_questions_so_that_the_message_can_be_written(
    database_url: str, tmp_path: Path, configuration: Configuration, files: dict[str, str],
    secrets: dict[str, str], kind: str,
) -> None:  # fmt: skip
    import threading

    written(tmp_path, files)
    if kind == "reply":  # a played platform has no key of its own: the folder shows one
        key = rsa.generate_private_key(65537, 2048).public_key()
        der = base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
        sample = {"code": 200, "data": {"publicKey": der, "keyId": "k"}}
        (tmp_path / NAME / "samples").mkdir()
        (tmp_path / NAME / "samples/publicKey.answer.json").write_text(json.dumps(sample))
    heard: list[Any] = []
    server = stub_server(
        Stub(tmp_path / NAME, adapters.load(tmp_path / NAME, secrets, name=NAME)), "127.0.0.1", 0, heard.append
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()

    async def run() -> None:
        connected = connect(tmp_path, f"http://127.0.0.1:{server.server_address[1]}", files, **secrets)
        async with desk(configuration, database_url, connected, data=tmp_path) as one:
            if kind == "entry":
                await with_pictures(one)
            else:
                await one.hub.reception.take_in(one.hub.reception.read(appeal(one), again=True))
                await fetched(one)
                [(no,)] = await one.rows("SELECT no FROM cases")
                await order(one, no, '{"kind": "cancel", "reason": "重复上报"}'.encode())
            assert await deliver(one) == ("acknowledged", 1, False)

    try:
        asyncio.run(run())
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert [one.trouble for one in heard if one.trouble] == []
    assert heard[-1].message == kind
    assert len(json.dumps([one.body for one in heard], default=str)) < 20_000


GIVEN = {
    "case": {"attachments": [{"url": "/p/1.jpg", "name": "1.jpg", "content": "示例图片"}]},
    "action": {"kind": "dispatch", "actor": {"party": "hub", "id": "r"}, "at": "2026-05-20T10:00:00+08:00"},
}
PLACE = {"put": "/bucket/o1?sig=s", "key": "o1", "$file": {"url": "/p/1.jpg", "name": "1.jpg"}}
SAMPLES: dict[str, dict[str, Any]] = {
    "presign": {
        "file": PLACE["$file"], "path": "/presign",
        "body": {"name": "1.jpg", "size": 12, "md5": hashlib.md5("示例图片".encode()).hexdigest()},
    },
    "put": {"file": PLACE, "path": "/bucket/o1?sig=s", "body": "示例图片"},
    "entry": {
        "before": {
            "places": [PLACE], "objects": [{"$headers": {"etag": "e1"}, "$file": PLACE}], "nonce": {"text": "n"},
        },
        "path": "/entries",
        "body": '<?xml version="1.0" encoding="utf-8"?><entry><no>34022026052000001-1</no><object><etag>e1</etag>'
        "<key>o1</key><name>1.jpg</name><bytes>12</bytes></object></entry>",
    },
}  # fmt: skip


def test_a_folder_with_questions_and_files_is_checked_without_a_network_and_certified_without_a_vendor(
    tmp_path: Path, certify: Certify
) -> None:
    samples = {
        f"samples/{name}.out.json": json.dumps({"message": name, "given": GIVEN, **golden})
        for name, golden in SAMPLES.items()
    }
    receipt = {"samples/entry.answer.xml": "<receipt><state>accepted</state><no>E1</no></receipt>"}
    written(tmp_path, OBJECTS | samples | receipt)
    assert list(map(str, adapters.check(tmp_path / NAME))) == []

    results = certify(tmp_path / NAME, chosen("handed_over", "lost_answer"), simulator=False)

    assert outcomes(results) == {"handed_over": PASSED, "lost_answer": PASSED}


# --- shared ---


def appeal(desk: Desk) -> Any:
    """One row of the first platform's list."""
    from canonical.message import Message

    row = {"id": 2, "content": "示例诉求", "pics": [{"fid": "f2", "title": "a.jpg"}]}
    return Message(
        system=NAME, body=json.dumps(row).encode(), at=desk.hub.now(), id=desk.hub.ids(), door="appeals",
        content_type="application/json",
    )  # fmt: skip


async def with_pictures(desk: Desk) -> None:
    """One case of two pictures that is to be handed over."""
    files = [{"attachUrl": url, "attachName": url[-5:], "attachGuid": url[-5:]} for url in PICTURES]
    await desk.take_in(HOTLINE, hotline(ticket("1", attachList=files)).body, FORM)
    await brought(desk, PICTURES)


def written(folder: Path, files: Mapping[str, str]) -> None:
    """The platform's folder."""
    for name, text in files.items():
        path = folder / NAME / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def connect(folder: Path, url: str, files: Mapping[str, str], **secrets: str) -> ConnectedSystem:
    """Written, checked without a finding, and loaded."""
    written(folder, files)
    assert list(map(str, adapters.check(folder / NAME, samples=False))) == []
    system = adapters.load(folder / NAME, secrets, name=NAME)
    return ConnectedSystem(system=system, url=url, every=None, concurrency=2, paused=False)
