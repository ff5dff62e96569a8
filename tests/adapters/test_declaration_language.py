"""What the declaration language can say beyond the three first systems: one small platform for every sentence."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import adapters
from adapters import System
from canonical.errors import Misconfigured, Unacceptable, Why
from canonical.findings import Severity
from canonical.message import Message, Verdict
from canonical.reading import Outcome, Reading
from canonical.time import Limit, LimitUnit
from tests.adapters.systems import ID, NOW, outbound_of

HEAD = """\
title: 样板平台
edition: "1"
roles: [source, owner]
crs: EPSG:4490
secrets: {key: {title: 密钥}, iv: {title: 向量, optional: true}}
connector: {protocol: http}
"""
REPLY = """
    reply: {format: json, rows: [{verdict: accepted, body: {code: 0}}, {body: {code: 1, msg: {from: words}}}]}
"""
IN = "direction: in\ntitle: 上报\ncontract: any.schema.json\n"
Make = Callable[..., System]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A loaded system from the texts of its files."""

    def loaded(system: str, *, head: str = HEAD, contract: Any = None, **messages: str) -> System:
        files = {
            "system.yaml": head + system,
            "contract/any.schema.json": json.dumps(contract or {"additionalProperties": True}),
        } | {f"messages/{name}.yaml": text for name, text in messages.items()}
        for name, text in files.items():
            path = tmp_path / "sample" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return adapters.load(tmp_path / "sample", {"key": "K"})

    return loaded


def door(shape: str = "[json]", *, more: str = "", messages: str = "[m]") -> str:
    return f"doors:\n  d:\n    shape: {shape}\n    messages: {messages}\n{more}{REPLY}"


def push(
    body: object, *, path: str = "", kind: str = "application/json", method: str = "POST", **headers: str
) -> Message:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Message(
        system="sample", body=raw, at=NOW, id=ID, door="d", content_type=kind, headers=named, path=path, method=method
    )  # fmt: skip


def one(contents: list[Reading | Unacceptable]) -> Reading:
    [reading] = contents
    assert isinstance(reading, Reading), reading
    return reading


def refused(contents: list[Reading | Unacceptable]) -> Unacceptable:
    [error] = contents
    assert isinstance(error, Unacceptable), error
    return error


def test_an_expression_makes_a_value_and_a_missing_member_makes_none(make: Make) -> None:
    m = (
        IN + "external_id: {from: id}\nreport:\n"
        "  title: {expr: \"doc.kind + '/' + text(doc.level)\"}\n  address: {expr: doc.where.street}\n"
    )
    system = make(door(), m=m)

    reading = one(system.read(push({"id": 1, "kind": "水", "level": 2})))

    assert reading.report
    assert (reading.report.title, reading.report.address) == ("水/2", "")


def test_an_expression_that_cannot_work_on_a_value_is_a_contract_violation(make: Make) -> None:
    system = make(door(), m=IN + "external_id: {from: id}\nreport: {title: {expr: doc.kind + doc.level}}\n")

    assert refused(system.read(push({"id": "1", "kind": "水", "level": 2}))).why is Why.CONTRACT


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("doc.a ==", "not an expression"),
        ("titel + 'x'", "no name 'titel'"),
        ("doc.a.spilt(',')", "no function 'spilt'"),
    ],
)
def test_a_wrong_expression_is_found_before_it_runs(make: Make, tmp_path: Path, source: str, text: str) -> None:
    message = IN + f'external_id: {{from: id}}\nreport: {{title: {{expr: "{source}"}}}}\n'
    with pytest.raises(Exception, match="findings"):
        make(door(), m=message)

    [finding] = adapters.check(tmp_path / "sample")
    assert (finding.file, finding.line, finding.key) == ("messages/m.yaml", 5, "report.title.expr")
    assert text in finding.text


def test_headers_query_path_and_time_of_receipt_can_be_read(make: Make) -> None:
    more = '    path: "devices/{device}/alarms"\n'
    m = IN + (
        'external_id: {text: "{$path.device}-{$query.sn}"}\n'
        "report: {title: {from: $headers.x-kind}, channel: {from: $path.0}, reported_at: {from: $at}}\n"
    )
    system = make(door(more=more), m=m)

    reading = one(system.read(push({}, path="devices/D7/alarms?sn=9&x=1", x_kind="fire")))

    assert reading.external_id == "D7-9"
    assert reading.report
    assert (reading.report.title, reading.report.channel, reading.report.reported_at) == ("fire", "devices", NOW)
    assert system.doors[0].fits("devices/D7/alarms")
    assert not system.doors[0].fits("devices/D7")


def test_only_headers_that_rules_read_are_kept_for_a_replay(make: Make) -> None:
    more = "    authenticate: {header: X-Token, secret: key}\n"
    system = make(door(more=more), m=IN + "external_id: {from: $headers.x-id}\nreport: {title: 火}\n")
    message = push({}, x_token="K", x_id="7", cookie="c")

    assert one(system.receive(message)).external_id == "7"
    assert system.kept_headers(message) == {"x-id": "7"}


def test_lists_inside_lists_become_messages_that_know_what_they_came_from(make: Make) -> None:
    more = "    items: [devices, services]\n"
    m = IN + 'external_id: {text: "{$parent.id}-{$row}-{$whole.gateway}"}\nreport: {title: {from: kind}}\n'
    system = make(door(more=more), m=m)
    body = {"gateway": "G", "devices": [{"id": "a", "services": [{"kind": "1"}, {"kind": "2"}]}, {"id": "b"}]}

    contents = system.read(push(body))

    assert [c.external_id for c in contents if isinstance(c, Reading)] == ["a-1-G", "a-2-G"]
    [broken] = [c for c in contents if isinstance(c, Unacceptable)]
    assert (broken.why, broken.at) == (Why.CONTRACT, "services")


def test_a_push_without_its_list_is_refused_and_an_empty_list_is_not(make: Make) -> None:
    system = make(door(more="    items: events\n"), m=IN + "external_id: {from: id}\nreport: {title: 火}\n")

    assert system.read(push({"events": None})) == [], "null is how Java writes an empty list"

    assert refused(system.read(push({"event": []}))).why is Why.CONTRACT
    assert system.read(push({"events": []})) == []


def test_what_is_packed_inside_a_value_is_unpacked(make: Make) -> None:
    inner = base64.b64encode(json.dumps({"b": [{"v": "7"}]}).encode()).decode()
    m = IN + "external_id: {from: payload.app, parse: [base64, json], pick: b.0.v}\nreport: {title: 火}\n"
    system = make(door(), m=m)

    assert one(system.read(push({"payload": {"app": inner}}))).external_id == "7"
    assert refused(system.read(push({"payload": {"app": "*"}}))).why is Why.UNREADABLE


def test_a_signature_over_sorted_pairs_is_computed_again(make: Make) -> None:
    more = """
    authenticate:
      - signature:
          shown: {from: sign}
          of:
            of: [{pairs: {without: [sign]}}, {of: ["key=", {secret: key}], join: ""}]
            join: "&"
            digest: md5
            output: HEX
      - fresh: {at: {from: ts, time: epoch_ms}, seconds: 300}
"""
    system = make(door(more=more), m=IN + "external_id: {from: id}\nreport: {title: 火}\n")
    stamp = str(int(NOW.timestamp() * 1000))
    sign = hashlib.md5(f"b=2&id=1&ts={stamp}&key=K".encode()).hexdigest().upper()
    body = {"id": "1", "b": 2, "empty": "", "ts": stamp, "sign": sign}

    assert one(system.receive(push(body))).external_id == "1"
    assert refused(system.receive(push({**body, "b": 3}))).why is Why.UNAUTHENTICATED
    old = str(int((NOW - timedelta(minutes=10)).timestamp() * 1000))
    stale = {**body, "ts": old, "sign": hashlib.md5(f"b=2&id=1&ts={old}&key=K".encode()).hexdigest().upper()}
    assert refused(system.receive(push(stale))).why is Why.UNAUTHENTICATED
    assert one(system.read(push({**body, "sign": "?"}))).external_id == "1"  # a replay was authenticated when it came


def test_a_signature_over_the_body_as_it_travelled(make: Make) -> None:
    more = """
    authenticate:
      signature: {shown: {from: $headers.x-sign}, of: {from: $body, digest: hmac-sha256, key: key}}
"""
    system = make(door(more=more), m=IN + "external_id: {from: id}\nreport: {title: 火}\n")
    raw = b'{"id":  "1"}'
    sign = hmac.new(b"K", raw, "sha256").hexdigest()

    assert one(system.receive(push(raw, x_sign=sign))).external_id == "1"
    assert refused(system.receive(push(raw + b" ", x_sign=sign))).why is Why.UNAUTHENTICATED


def test_an_expression_works_beside_times_of_a_zone(make: Make) -> None:
    rule = "{expr: \"doc.id + written(doc['$at'] + duration('1h'), 'yyyy-MM-dd HH:mm')\"}"
    system = make(door(), m=IN + f"external_id: {{from: id}}\nreport: {{title: {rule}}}\n")

    report = one(system.read(push({"id": "7 "}))).report

    assert report
    assert report.title == f"7 {NOW + timedelta(hours=1):%Y-%m-%d %H:%M}"


def test_a_door_answers_a_handshake_by_itself(make: Make) -> None:
    more = """
    handshakes:
      - method: GET
        when: {$query.echostr: {present: "yes"}}
        authenticate:
          signature:
            shown: {from: $query.signature}
            of:
              of: [{secret: key}, {from: $query.timestamp}, {from: $query.nonce}]
              sort: true
              join: ""
              digest: sha1
        body: {from: $query.echostr}
      - {method: POST, when: {type: url_verification}, format: json, body: {challenge: {from: challenge}}}
"""
    system = make(door(more=more), m=IN + "external_id: {from: id}\nreport: {title: 火}\n")
    [entrance] = system.doors
    sign = hashlib.sha1("".join(sorted(["K", "12", "34"])).encode()).hexdigest()
    ask = f"?echostr=hello&timestamp=12&nonce=34&signature={sign}"

    reply = entrance.handshake(push(b"", path=ask, method="GET"))
    challenge = entrance.handshake(push({"type": "url_verification", "challenge": "c1"}))

    assert reply
    assert (reply.status, reply.content_type, reply.body) == (200, "text/plain; charset=utf-8", b"hello")
    assert challenge
    assert challenge.body == b'{"challenge":"c1"}'
    assert entrance.handshake(push({"id": "1"})) is None
    with pytest.raises(Unacceptable):
        entrance.handshake(push(b"", path=ask.replace("hello", "x").replace("12", "13"), method="GET"))


def test_a_reply_can_tell_what_became_of_each_part(make: Make) -> None:
    system = make(
        "doors:\n  d:\n    shape: [json]\n    items: list\n    messages: [m]\n"
        "    reply: {format: json, rows: [{body: {for: {from: request.batch}, items: {from: outcomes, each: {id: {from:"
        " external_id}, ok: {from: accepted}}}}}]}\n",
        m=IN + "external_id: {from: id}\nreport: {title: 火}\n",
    )
    outcomes = [("1", Outcome(Verdict.CASE)), ("2", Outcome(Verdict.REFUSED, why=Why.CONTRACT))]

    reply = system.reply(push({"batch": "B", "list": []}), outcomes[1][1], outcomes)

    assert json.loads(reply.body) == {"for": "B", "items": [{"id": "1", "ok": "yes"}, {"id": "2", "ok": "no"}]}


def test_files_come_as_links_in_a_text_and_as_content(make: Make) -> None:
    m = (
        IN
        + """\
external_id: {from: id}
report:
  title: 火
  attachments:
    - {from: {from: urls, split: ","}, url: {from: "."}}
    - {from: pictures, content: {from: data, parse: [base64]}, name: {from: name}}
    - {from: chunk, content: {from: data, parse: [base64]}, id: {from: file}, part: {text: "{n}/{of}"}}
"""
    )
    system = make(door(), m=m)
    data = base64.b64encode(b"PIC").decode()
    body = {
        "id": 1, "urls": "http://a/1.jpg,http://a/2.jpg", "pictures": [{"data": data, "name": "p.png"}, {"name": "x"}],
        "chunk": {"data": data, "file": "f9", "n": 2, "of": 3},
    }  # fmt: skip

    reading = one(system.read(push(body)))

    assert reading.report
    urls = [attachment.url for attachment in reading.report.attachments]
    digest = hashlib.sha256(b"PIC").hexdigest()
    assert urls == ["http://a/1.jpg", "http://a/2.jpg", f"inline:sha256:{digest}", "inline:part:f9:2/3"]
    assert reading.report.attachments[2].content == b"PIC"
    assert "content" not in reading.report.attachments[2].model_dump()


def test_an_alarm_an_addition_and_a_heartbeat_are_told_apart(make: Make) -> None:
    start = (
        IN
        + """\
when: "doc.status in [0, 1]"
external_id: {from: id}
report: {title: 入侵}
alarm: {device: {from: camera}, kind: {from: type}, active: {from: status, codes: {"0": "yes", "1": "yes"}}}
"""
    )
    picture = (
        IN
        + """\
when: {status: 5}
external_id: {from: id}
addition: {remark: 补传图片, attachments: {from: ".", url: {from: pic}}}
"""
    )
    beat = IN + "when: {status: {above: 8}}\nexternal_id: {from: id}\nnoted: true\n"
    system = make(door(messages="[start, picture, beat]"), start=start, picture=picture, beat=beat)

    told = one(system.read(push({"id": 1, "status": 1, "camera": "C1", "type": 7})))
    later = one(system.read(push({"id": 1, "status": 5, "pic": "/p/1"})))
    quiet = one(system.read(push({"id": 2, "status": 9})))

    assert told.alarm
    assert (told.alarm.device, told.alarm.kind, told.alarm.active) == ("C1", "7", True)
    assert later.addition
    assert [attachment.url for attachment in later.addition.attachments] == ["/p/1"]
    assert (quiet.report, quiet.action, quiet.addition, quiet.alarm) == (None, None, None, None)


def test_a_table_says_unchanged_text_only_and_quarantine(make: Make) -> None:
    m = (
        IN
        + """\
external_id: {from: id}
report:
  channel: {from: c, codes: {"1": unchanged, "2": text only, "3": quarantine, "4": 电话}}
  class: {from: k, codes: {"9": text only, "8": quarantine}}
"""
    )
    system = make(door(), m=m)

    def channel(code: str) -> str:
        report = one(system.read(push({"id": 1, "c": code}))).report
        assert report
        return report.channel

    assert [channel("1"), channel("2"), channel("4")] == ["1", "", "电话"]
    assert refused(system.read(push({"id": 1, "c": "3"}))).why is Why.UNMAPPED_CODE
    known = one(system.read(push({"id": 1, "k": "9"}))).report
    assert known
    assert known.class_code is None
    assert refused(system.read(push({"id": 1, "k": "8"}))).why is Why.UNMAPPED_CODE


def test_a_table_must_know_every_value_the_contract_lists(make: Make, tmp_path: Path) -> None:
    contract = {"properties": {"id": {}, "c": {"enum": ["1", "2", "3"]}}}
    m = IN + 'external_id: {from: id}\nreport: {channel: {from: c, codes: {"1": 电话}}}\n'
    with pytest.raises(Exception, match="findings"):
        make(door(), contract=contract, m=m)

    [finding] = adapters.check(tmp_path / "sample")
    assert "no row in the declared rows for 2, 3" in finding.text


def test_a_ledger_places_a_device_and_does_not_know_strangers(make: Make, tmp_path: Path) -> None:
    (tmp_path / "sample" / "ledgers").mkdir(parents=True)
    text = "id,lon,lat,crs\nC1,118.37,31.33,GCJ02\nC2,118.38,31.34,WGS84\n"
    (tmp_path / "sample" / "ledgers" / "cameras.csv").write_text(text, encoding="utf-8")
    m = (
        IN
        + """\
external_id: {from: id}
report:
  title: {from: camera}
  coordinate:
    x: {from: camera, ledger: cameras.lon}
    y: {from: camera, ledger: cameras.lat}
    crs: {from: camera, ledger: cameras.crs, codes: {GCJ02: GCJ-02, WGS84: "EPSG:4326"}}
"""
    )
    declared = "ledgers: {cameras: {title: 摄像机, columns: [id, lon, lat, crs]}}\n"
    system = make(declared + door(), m=m)

    placed = one(system.read(push({"id": 1, "camera": "C1"}))).report
    strange = one(system.read(push({"id": 1, "camera": "C9"}))).report

    assert placed
    assert placed.coordinate
    assert (placed.coordinate.x, placed.coordinate.crs) == (118.37, "GCJ-02")
    assert strange
    assert strange.coordinate is None


def test_a_day_is_kept_as_a_day_and_a_deadline_ends_with_it(make: Make) -> None:
    m = (
        IN
        + """\
external_id: {from: id}
report:
  reported_on: {from: day, time: [yyyy/MM/dd, yyyy-MM-dd]}
  deadline: {at: {from: until, time: yyyy-MM-dd, day: end}}
"""
    )
    system = make(door(), m=m)

    report = one(system.read(push({"id": 1, "day": "2026/03/16", "until": "2026-03-18"}))).report

    assert report
    assert report.reported_at is None
    assert str(report.reported_on) == "2026-03-16"
    assert report.deadline
    assert str(report.deadline.at) == "2026-03-18 23:59:59+08:00"


OUT = """\
direction: out
title: 派遣
repeat: safe
path: /api/orders
query: {appKey: demo, sign: {pairs: {from: query}, digest: hmac-sha256, key: key}}
headers:
  Content-MD5: {from: sealed.body, digest: md5, output: base64}
  X-Sign: {text: "{sealed.method} {sealed.path} {headers.content-md5}", digest: sha256}
body: {no: {from: case.no}, note: {from: case.description}}
seal: {sign: {pairs: {from: body}, digest: md5, output: HEX}}
without_empty: true
answer: plain
"""
ANSWERS = 'answers: {plain: {shape: [json], rows: [{when: "doc.code == 0", then: accepted}]}}\n'


def test_what_is_made_first_is_signed_by_what_is_made_later(make: Make) -> None:
    system = make(ANSWERS + door(), m=IN + "external_id: {from: id}\nreport: {title: 火}\n", send=OUT)
    action = {"kind": "dispatch", "actor": {"party": "hub", "id": "r"}, "at": "2026-05-20T10:00:00+08:00"}

    message = system.write(outbound_of("send", {"action": action}), now=NOW, id=ID)

    sign = hashlib.md5(b"no=34022026052000001").hexdigest().upper()
    assert json.loads(message.body) == {"no": "34022026052000001", "sign": sign}
    asked = hmac.new(b"K", b"appKey=demo", "sha256").hexdigest()
    assert message.path == f"/api/orders?appKey=demo&sign={asked}"
    md5 = base64.b64encode(hashlib.md5(message.body).digest()).decode()
    assert message.headers["content-md5"] == md5
    wanted = hashlib.sha256(f"POST {message.path} {md5}".encode()).hexdigest()
    assert message.headers["x-sign"] == wanted


def test_what_cannot_be_told_is_declared_with_its_reason(make: Make, tmp_path: Path) -> None:
    declared = "unsupported: {owner: {cancel: 平台没有撤单接口}}\n"
    system = make(declared + door(), m=IN + "external_id: {from: id}\nreport: {title: 火}\n")

    assert system.role.unsupported == {"owner": {"cancel": "平台没有撤单接口"}}


XSD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="alarm"><xs:complexType><xs:sequence>
<xs:element name="id" type="xs:int"/><xs:element name="text" type="xs:string"/></xs:sequence></xs:complexType>
</xs:element></xs:schema>"""


def test_an_xml_schema_is_a_contract_too_and_its_refusal_quotes_no_value(make: Make, tmp_path: Path) -> None:
    (tmp_path / "sample" / "contract").mkdir(parents=True)
    (tmp_path / "sample" / "contract" / "alarm.xsd").write_text(XSD, encoding="utf-8")
    m = IN + "external_id: {from: alarm.id}\nreport: {title: {from: alarm.text}}\n"
    system = make(door("[xml: {xsd: alarm.xsd}]"), m=m)

    good = one(system.read(push(b"<alarm><id>7</id><text>x</text></alarm>", kind="text/xml")))
    bad = refused(system.read(push("<alarm><id>张三</id><text>x</text></alarm>".encode(), kind="text/xml")))

    assert good.external_id == "7"
    assert bad.why is Why.CONTRACT
    assert "张三" not in str(bad)
    assert "id" in str(bad)


def test_text_beside_attributes_and_attributes_are_read(make: Make) -> None:
    system = make(door("[xml]"), m=IN + 'external_id: {from: a.v.@id}\nreport: {title: {from: "a.v.#text"}}\n')

    reading = one(system.read(push('<a><v id="9">水位</v></a>'.encode(), kind="text/xml")))

    assert reading.report
    assert (reading.external_id, reading.report.title) == ("9", "水位")


def test_an_encrypted_body_is_opened(make: Make) -> None:
    from adapters.cipher import encrypt

    head = HEAD.replace("密钥", "16 字节")
    system = make(
        door("[json, pick: data, decrypt: {cipher: aes-ecb, key: key, form: text}, json]"),
        head=head, m=IN + "external_id: {from: id}\nreport: {title: 火}\n",
    )  # fmt: skip
    assert refused(system.read(push({"data": "AAAA"}))).why is Why.UNREADABLE  # a key of one byte opens nothing

    assert encrypt(b"x", algorithm="aes-ecb", key=b"0123456789abcdef")


@pytest.mark.parametrize(("path", "told"), [("@odata.id", 1), ("'@odata.id'", 0), ("@id", 0), ("a.@b", 0)])
def test_a_name_with_a_dot_that_nobody_quoted_is_warned_of(make: Make, tmp_path: Path, path: str, told: int) -> None:
    system = make(door(), m=IN + f'external_id: {{from: "{path}"}}\nreport: {{title: {{from: title}}}}\n')

    findings = [one for one in adapters.check(tmp_path / "sample") if "the dot" in one.text]

    assert system.doors
    assert [(one.severity, one.key) for one in findings] == [(Severity.WARNING, "external_id.from")] * told
    assert all("\"'@odata.id'\"" in one.text for one in findings)


# --- what a platform asks for ---

ASKED = """\
direction: in
title: 状态
contract: any.schema.json
external_id: {from: id}
action:
  status: {from: s}
  reason: {from: why}
  steps:
    wait: {kinds: {owner: ask_suspension}, until: {from: day, time: yyyy-MM-dd, day: end}}
    later:
      kinds: {owner: ask_extension}
      limit: {value: {from: n}, unit: {from: of, codes: {天: calendar_day, 小时: work_hour}}}
    back: {kinds: {owner: return}, basis: {from: code, codes: {"1": duty, "2": area}}}
"""


def test_a_stated_action_carries_its_day_its_length_and_what_it_rests_on(make: Make) -> None:
    system = make(door(), m=ASKED)

    def said(**document: Any) -> Any:
        action = one(system.read(push({"id": "1", "why": "w", **document}))).action
        assert action is not None
        return action

    waiting = said(s="wait", day="2026-12-31")
    assert waiting.until is not None
    assert waiting.until.isoformat() == "2026-12-31T23:59:59+08:00"
    assert said(s="later", n=3, of="天").limit == Limit(value=3, unit=LimitUnit.CALENDAR_DAY)
    assert (said(s="back", code="2").basis, said(s="wait").until) == ("area", None)
    assert refused(system.read(push({"id": "1", "s": "wait", "day": "年底"}))).why is Why.CONTRACT
    assert refused(system.read(push({"id": "1", "s": "back", "code": "9"}))).why is Why.UNMAPPED_CODE
    assert refused(system.read(push({"id": "1", "s": "later", "n": 3}))).why is Why.CONTRACT


def test_a_moment_needs_a_pattern(make: Make) -> None:
    with pytest.raises(Misconfigured, match=r"action.steps.wait.until.*needs a pattern"):
        make(door(), m=ASKED.replace(", time: yyyy-MM-dd, day: end", ""))


@pytest.mark.parametrize(
    ("source", "leader", "collector"), [("51", True, ""), ("10", False, "C-0031"), ("20", False, "")]
)
def test_what_a_leader_handed_down_and_who_collected_it_stand_in_the_report(
    make: Make, source: str, leader: bool, collector: str
) -> None:
    """领导交办 by the platform's table of sources; a collector's id only where a collector reported."""
    text = IN + (
        "external_id: {from: id}\nreport:\n  title: {from: t}\n"
        '  leader_assigned: {from: source, codes: {"51": "yes", "10": "no", "20": "no"}}\n'
        "  collector: {from: who, unless: \"doc.source != '10'\"}\n"
    )
    report = one(make(door(), m=text).read(push({"id": "1", "t": "井盖", "source": source, "who": "C-0031"}))).report
    assert report is not None
    assert (report.leader_assigned, report.collector) == (leader, collector)
