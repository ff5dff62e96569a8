"""Platforms that mix charsets: what is signed, what travels, what comes, and what contradicts itself."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

import adapters
from adapters import System
from adapters.charset import text_of
from canonical.errors import Misconfigured, Unacceptable
from canonical.findings import Severity
from canonical.message import Message, Verdict
from canonical.reading import Outcome
from tests.adapters.systems import ID, NOW

SYSTEM = """\
title: 样板平台
edition: "1"
roles: [source]
charset: gbk
crs: EPSG:4490
secrets: {key: {title: 密钥, sample: s3cret}}
connector: {protocol: http}
doors:
  old: {path: old, shape: [json], messages: [m], reply: {format: json, rows: [{body: {msg: {from: words}}}]}}
  new:
    path: new
    charset: utf-8
    shape: [json]
    authenticate:
      signature:
        shown: {from: $query.sign}
        of: {of: [{from: name}, {secret: key}], join: "", digest: md5, charset: gbk}
    messages: [m]
    reply: {format: json, rows: [{body: {msg: {from: words}}}]}
receivers:
  table: {table: {name: t, key: [id], columns: [id, name], mode: reload}, messages: [m]}
  topic: {charset: auto, mqtt: {topics: [a]}, messages: [m]}
answers:
  old: {shape: [json], rows: [{when: {msg: 成功}, then: accepted}]}
  new: {charset: utf-8, shape: [json], rows: [{when: {msg: 成功}, then: accepted}]}
"""
OUT = """\
direction: ask
title: 问
path: /x
query: {q: 道路}
body: {name: {expr: "'井盖' + doc.session"}}
seal: {sign: {of: [{from: body.name}, {secret: key}], join: "", digest: md5, charset: gbk}}
answer: old
"""
MESSAGE = (
    "direction: in\ntitle: 上报\ncontract: any.schema.json\nexternal_id: {from: id}\nreport: {title: {from: name}}\n"
)
Make = Callable[..., System]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def loaded(system: str = SYSTEM, **messages: str) -> System:
        files = {"system.yaml": system, "contract/any.schema.json": "{}", "messages/m.yaml": MESSAGE}
        files |= {f"messages/{name}.yaml": text for name, text in ({"out": OUT} | messages).items()}
        for name, text in files.items():
            (tmp_path / "sample" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "sample" / name).write_text(text, encoding="utf-8")
        return adapters.load(tmp_path / "sample", {"key": "s3cret"})

    return loaded


def written(system: System, name: str = "out", session: str = "") -> Message:
    return system.say(name, now=NOW, id=ID, session=session)


def came(door: str, name: str, charset: str, path: str = "") -> Message:
    body = json.dumps({"id": "1", "name": name}, ensure_ascii=False).encode(charset)
    return Message(system="s", body=body, at=NOW, id=uuid4(), door=door, content_type="application/json", path=path)


def title(system: System, message: Message) -> str:
    [reading] = system.receive(message)
    if isinstance(reading, Unacceptable):
        raise reading
    assert reading.report
    return reading.report.title


def test_what_is_signed_in_gbk_is_the_digest_of_the_bytes_that_travel(make: Make) -> None:
    sent = written(make())

    sign = hashlib.md5("井盖s3cret".encode("gbk"), usedforsecurity=False).hexdigest()
    assert json.loads(sent.body.decode("gbk")) == {"name": "井盖", "sign": sign}
    assert (sent.content_type, sent.path) == ("application/json; charset=gbk", "/x?q=" + quote("道路".encode("gbk")))


def test_one_message_may_travel_in_another_charset_than_the_rest(make: Make) -> None:
    system = make(out=OUT + "charset: utf-8\n", second=OUT)

    assert "井盖" in written(system).body.decode("utf-8")
    assert "井盖" in written(system, "second").body.decode("gbk")
    assert written(system).path == "/x?q=" + quote("道路")


@pytest.mark.parametrize("form", ["json", "text", "urlencoded\npart: p", "fields", "multipart", "csv", "xml\nroot: r"])
def test_a_sign_that_the_charset_has_not_keeps_no_message_from_travelling(make: Make, form: str) -> None:
    out = OUT if form != "text" else OUT.replace("{name: {expr", "{expr").replace("}}\nseal", "}\n# seal")
    sent = written(make(out=f"{out}format: {form}\n"), session="😀")

    assert sent.body.decode("gbk")
    if form == "json":
        assert json.loads(sent.body)["name"] == "井盖😀"


def test_doors_receivers_and_answers_may_have_a_charset_of_their_own(make: Make) -> None:
    system = make()
    sign = hashlib.md5("路面s3cret".encode("gbk"), usedforsecurity=False).hexdigest()

    assert title(system, came("old", "路面", "gbk")) == "路面"
    assert title(system, came("new", "路面", "utf-8", path=f"new?sign={sign}")) == "路面"
    assert title(system, came("table", "路面", "utf-8")) == "路面"
    assert title(system, came("topic", "路面积水", "utf-8")) == title(system, came("topic", "路面积水", "gbk"))
    for name, charset in (("old", "gbk"), ("new", "utf-8")):
        reply = system.reply(came(name, "x", charset), Outcome(Verdict.REFUSED, why=Unacceptable("").why))
        assert "约定" in reply.body.decode(charset)
        assert reply.content_type.endswith(f"charset={charset}")


def test_answers_are_read_in_their_own_charset(make: Make) -> None:
    system = make(new=OUT.replace("answer: old", "answer: new"))
    for name, charset in (("out", "gbk"), ("new", "utf-8")):
        body = '{"msg": "成功"}'.encode(charset)
        assert system.judge(name, Message(system="s", body=body, at=NOW, id=ID, status=200)).external_id == ""


def test_a_query_may_come_in_either_charset(make: Make) -> None:
    asks = MESSAGE.replace("{from: name}", "{from: $query.q}")
    for charset in ("gbk", "utf-8"):
        assert title(make(m=asks), came("old", "x", "gbk", f"old?q={quote('道路'.encode(charset))}")) == "道路"


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("{text: 道路, encode: url, charset: gbk}", quote("道路".encode("gbk"))),
        ("{pairs: {from: body, encode: percent}, charset: gbk}", "name=" + quote("井盖".encode("gbk"))),
        ("{text: '%C4%FE=1', parse: [query], charset: gbk, then: {expr: \"doc['宁'] == '1' ? 'y' : 'n'\"}}", "y"),
        ("{text: wre4x8vO, parse: [base64, text], charset: gbk}", "路盖宋"),
    ],
)
def test_a_rule_may_say_in_which_charset_its_bytes_are(make: Make, rule: str, value: str) -> None:
    sent = written(
        make(
            out=OUT.replace(
                "seal: ", 'headers: {X-Value: {expr: "doc.body.v", encode: url}}\nseal: {v: ' + rule + "}\n#"
            )
        )
    )

    assert sent.headers["x-value"] == quote(value)


WRONG: dict[str, tuple[Any, ...]] = {
    "body": (SYSTEM, OUT + 'content_type: "application/json; charset=UTF-8"\n', r"out\.yaml:8: .*charset: UTF-8"),
    "header": (SYSTEM, OUT + "headers: {Content-Type: text/json;charset=utf8}\n", r"out\.yaml:8: .*headers.*utf8"),
    "message": (SYSTEM, OUT + "charset: gb13000\n", r"out\.yaml:8: error: charset: no charset 'gb13000'"),
    "reply": (
        SYSTEM.replace("reply: {format: json, ", "reply: {format: json, content_type: text/json; charset=utf-8, ", 1),
        OUT, r"system\.yaml:9: .*doors\.old\.reply\.content_type: says charset utf-8",
    ),
    "receiver": (SYSTEM.replace("charset: auto", "charset: atuo"), OUT, r"receivers\.topic\.charset: no charset"),
    "rule": (SYSTEM, OUT.replace("charset: gbk", "charset: gbq"), r"seal\.sign\.charset: no charset 'gbq'"),
    "rule without bytes": (SYSTEM, OUT.replace("{q: 道路}", "{q: {text: 道路, charset: gbk}}"), r"charset goes with"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_charsets_that_contradict_each_other_or_are_none_are_found(make: Make, case: str) -> None:
    system, out, told = WRONG[case]
    with pytest.raises(Misconfigured, match=told):
        make(system, out=out)


@pytest.mark.parametrize("label", ["GBK", "gb2312", '"gb18030"'])
def test_sets_that_hold_each_other_contradict_nothing(make: Make, label: str) -> None:
    assert make(out=f"{OUT}content_type: 'application/json; charset={label}'\n")


def test_signs_beyond_the_declared_set_are_read(make: Make) -> None:
    assert title(make(), came("old", "朱镕基路㙍口", "gb18030")) == "朱镕基路㙍口"


@pytest.mark.parametrize(
    ("text", "charset", "read"),
    [
        ("一", "gbk", "一"), ('{"name": "一品"}', "gbk", '{"name": "一品"}'), ("联通", "gbk", "联通"),
        ("36.5°", "utf-8", "36.5°"), ("É·2×3", "utf-8", "É·2×3"), ("Привет", "utf-8", "Привет"), ("α", "utf-8", "α"),
        ("一", "utf-8", "一"), ("ѻ路", "utf-8", "ѻ路"), ("陆", "gbk", "½"),
    ],
)  # fmt: skip
def test_few_signs_are_read_as_what_is_met_in_chinese_texts(text: str, charset: str, read: str) -> None:
    assert text_of(text.encode(charset), "auto") == read


def test_a_platform_that_is_never_given_its_own_cases_is_warned_of(make: Make, tmp_path: Path) -> None:
    roles = SYSTEM.replace("[source]", "[source, owner]") + "tells: {owner: {dispatch: out}, source: {close: out}}\n"
    out = OUT.replace("ask", "out") + "repeat: safe\n"

    assert make(roles, out=out)  # a warning stops nothing
    [found] = adapters.check(tmp_path / "sample")
    assert str(found).startswith("system.yaml:26: warning: tells: ")
    assert "add tells.both" in found.text

    make(roles + "unsupported: {both: {dispatch: 平台不接自己上报的案件}}\n", out=out)
    assert adapters.check(tmp_path / "sample") == []
    make(roles.replace("[source, owner]", "[source]"), out=out)
    assert adapters.check(tmp_path / "sample") == []


FORMS = SYSTEM.replace("shape: [json], messages: [m], reply", "shape: [fields: {}], messages: [m], reply", 1)
NAMED = MESSAGE.replace("{from: id}", "{from: 单号}").replace("{from: name}", "{from: 内容}")
DIVIDED = (
    b'--b\r\nContent-Disposition: form-data; name="\xb5\xa5\xba\xc5"\r\n\r\n1\r\n'
    b'--b\r\nContent-Disposition: form-data; name="\xc4\xda\xc8\xdd"\r\n\r\n\xe9F\r\n--b--\r\n'
)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=b", DIVIDED),
        ("application/x-www-form-urlencoded", b"%B5%A5%BA%C5=1&%C4%DA%C8%DD=%E9F"),
        ("application/x-www-form-urlencoded", b"%B5%A5%BA%C5=1&%C4%DA%C8%DD=%E9%46"),
    ],
)
@pytest.mark.parametrize("charset", ["gbk", "auto"])
def test_names_and_signs_whose_second_byte_is_a_letter_are_read_from_forms(
    make: Make, kind: str, body: bytes, charset: str
) -> None:
    system = make(FORMS.replace("charset: gbk", f"charset: {charset}", 1), m=NAMED)

    assert title(system, Message(system="s", body=body, at=NOW, id=uuid4(), door="old", content_type=kind)) == "镕"


def test_forms_and_queries_are_written_so_that_every_reader_puts_the_bytes_together(make: Make) -> None:
    out = OUT.replace("{q: 道路}", "{路名: 镕 a}").replace("{name: {expr: \"'井盖' + doc.session\"}}", "{内容: 镕 a}")
    sent = written(make(out=out.partition("seal")[0] + "format: fields\nanswer: old\n"))

    assert sent.path == "/x?%C2%B7%C3%FB=%E9%46%20a"
    assert sent.body == b"%C4%DA%C8%DD=%E9%46+a"


def test_the_names_of_a_multipart_form_are_written_in_the_declared_charset(make: Make) -> None:
    out = OUT.replace("{name: {expr: \"'井盖' + doc.session\"}}", "{内容: 井盖}")
    sent = written(make(out=out.partition("seal")[0] + "format: multipart\nanswer: old\n"))

    assert 'name="内容"' in sent.body.decode("gbk")


def test_a_text_that_is_unpacked_where_it_stands_is_no_longer_in_the_declared_charset(make: Make) -> None:
    inside = "shape: [json: {}, inside: {path: name, shape: [json]}], messages: [m], reply"
    system = make(
        SYSTEM.replace("shape: [json], messages: [m], reply", inside, 1), m=MESSAGE.replace("name}", "name.a}")
    )

    assert title(system, came("old", '{"a": "路面㙍"}', "gb18030")) == "路面㙍"


def test_a_word_that_the_hub_has_a_closed_list_for_is_told_with_the_list(make: Make) -> None:
    limit = "action: {status: {from: s}, limit: {value: {from: n}, unit: hours}, steps: {a: {}}}\n"
    with pytest.raises(Misconfigured, match=r"m\.yaml:5: error: action\.limit\.unit: 'hours' is not known here"):
        make(m=MESSAGE.partition("report")[0] + limit)


def test_a_table_whose_columns_nobody_listed_is_warned_of(make: Make, tmp_path: Path) -> None:
    make()
    path = next(tmp_path.rglob("system.yaml"))
    path.write_text(path.read_text(encoding="utf-8").replace("columns: [id, name], ", ""), encoding="utf-8")

    [finding] = [one for one in adapters.check(path.parent) if "columns" in one.text]

    assert (finding.severity, finding.key) == (Severity.WARNING, "receivers.table.table")
