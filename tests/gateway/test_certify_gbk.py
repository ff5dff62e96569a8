"""Certification of a platform that pushes forms in GBK, signed over the bytes of one part, and is answered so."""

import hashlib
import json
from pathlib import Path

import adapters
from gateway.certify.material import declaration
from gateway.certify.run import FAILED, NOT_APPLICABLE, PASSED
from gateway.stub import Stub
from gateway.stub_answer import accepted
from tests.gateway.conftest import Certify
from tests.gateway.parks import parks
from tests.gateway.test_certify import chosen, outcomes

_DOCUMENT = json.dumps(
    {"类型": "报修", "单号": "BX-880123", "类别": "电梯", "内容": "三号楼电梯停运多时"}, ensure_ascii=False
).encode("gbk")
_SIGNED = hashlib.md5(_DOCUMENT + b"s3cret", usedforsecurity=False).hexdigest()
_BODY = b"".join([
    b'--X1\r\nContent-Disposition: form-data; name="', "数据".encode("gbk"), b'"\r\n\r\n', _DOCUMENT,
    b'\r\n--X1\r\nContent-Disposition: form-data; name="', "照片".encode("gbk"), b'"; filename="1.jpg"\r\n'
    b"Content-Type: image/jpeg\r\n\r\n\xff\xd8\xff\xe0\x00\x10JFIF\x00\r\n--X1--\r\n",
])  # fmt: skip
_HEAD = "POST /in{} HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=X1\r\n\r\n"
_FILES = {
    "system.yaml": """\
title: 示例报修小程序
edition: "1"
roles: [source]
charset: gbk
secrets: {key: {title: 密钥}}
connector: {protocol: http}
doors:
  p:
    shape: [fields: {}, inside: {path: 数据, as: 单, shape: [json]}]
    authenticate:
      signature:
        shown: {from: $query.yz}
        of: {of: [{from: 数据}, {secret: key}], join: "", digest: md5, charset: gbk}
    document: 单
    messages: [order]
    reply:
      format: json
      rows:
        - {verdict: [accepted, duplicate], body: {结果: 成功}}
        - body: {错误: {代码: {from: why}, 说明: {from: text, cut: 100}}}
""",
    "messages/order.yaml": """\
direction: in
title: 报修
when: {类型: 报修}
contract: order.json
external_id: {from: 单号}
report:
  description: {from: 内容}
  class: {from: 类别, codes: kinds}
  given_class: {from: 类别}
  address: 示例花园
""",
    "contract/order.json": json.dumps(
        {"type": "object", "required": ["单号", "内容"],
         "properties": {name: {"type": "string", "minLength": 1} for name in ("类型", "单号", "类别", "内容")}}
    ),
    "codes/kinds.csv": "local,canonical,title\n电梯,30428.2:E01-17,电梯\n",
    "samples/p.new.reading.json": json.dumps([{
        "system": "s", "kind": "order", "edition": "1", "external_id": "BX-880123",
        "report": {
            "description": "三号楼电梯停运多时", "given_class": "电梯", "address": "示例花园",
            "class_code": {"edition": "GB/T 30428.2-2013", "kind": "event", "major": "01", "minor": "17"},
        },
    }]),
}  # fmt: skip


def repairs(folder: Path, query: str = f"?dw=D01&yz={_SIGNED}") -> Path:
    for name, text in _FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "samples" / "p.new.in.http").write_bytes(_HEAD.format(query).encode() + _BODY)
    return folder


def test_a_form_in_gbk_is_signed_again_and_its_answers_are_read(tmp_path: Path, certify: Certify) -> None:
    names = ("samples", "create", "wrong_secret", "broken_bytes", "unknown_code")

    results = certify(repairs(tmp_path / "repairs"), chosen(*names))

    assert {one.scenario.name: one.why for one in results if one.result != PASSED} == {}


def test_what_the_bench_cannot_sign_is_not_held_against_the_platform(tmp_path: Path, certify: Certify) -> None:
    [result] = certify(repairs(tmp_path / "repairs", ""), chosen("create"))

    assert (result.result, result.cannot) == (NOT_APPLICABLE, True)
    assert "cannot sign" in result.why


def test_a_defect_of_the_bench_fails_one_scenario_and_the_others_are_played(tmp_path: Path, certify: Certify) -> None:
    create, repeated = chosen("create", "duplicate")
    step = create.steps[0].model_copy(update={"change": "nobody_wrote_this"})
    broken = create.model_copy(update={"steps": (step,)})

    results = certify(repairs(tmp_path / "repairs"), [broken, repeated])

    assert outcomes(results) == {"create": FAILED, "duplicate": PASSED}
    assert "nobody_wrote_this" in results[0].why


def told_in_gbk(folder: Path, row: str) -> Path:
    repairs(folder)
    (folder / "system.yaml").write_text(
        _FILES["system.yaml"]
        + f"answers: {{r: {{shape: [json], rows: [{row}]}}}}\n"
        + "tells: {source: {close: done}}\n"
        + "unsupported: {source: {file: no, refuse: no, cancel: no, ask_extension: no}}\n",
        encoding="utf-8",
    )
    (folder / "messages" / "done.yaml").write_text(
        "direction: out\ntitle: 办结\nrepeat: guarded\npath: /hg\nformat: fields\nanswer: r\n"
        "body: {单号: {from: source.external_id}}\n",
        encoding="utf-8",
    )
    return folder


def test_an_answer_of_chinese_words_is_made_in_the_charset_of_the_folder(tmp_path: Path) -> None:
    folder = told_in_gbk(tmp_path / "repairs", "{when: {结果: 成功}, then: accepted}")
    system = adapters.load(folder, adapters.sample_secrets(folder), name="repairs")

    answer = accepted(system, "done", declaration(folder).answers["r"])

    assert json.loads(answer.body.decode("gbk")) == {"结果": "成功"}


def test_what_the_other_side_has_against_a_request_is_read_in_any_charset(tmp_path: Path) -> None:
    folder = told_in_gbk(tmp_path / "repairs", "{http: 5xx, then: unavailable}")
    system = adapters.load(folder, adapters.sample_secrets(folder), name="repairs")

    answer, _ = Stub(folder, system).hear("POST", "/hg", {}, b"")

    assert json.loads(answer.body.decode("gbk"))["error"] == json.loads(answer.body.decode())["error"]


def test_a_list_whose_end_is_an_expression_is_served_to_its_end(tmp_path: Path, certify: Certify) -> None:
    folder = parks(tmp_path)
    system = (folder / "system.yaml").read_text("utf-8")
    (folder / "system.yaml").write_text(
        system.replace("total: data.total", "more: {expr: \"doc.data.left == 'Y'\"}"), encoding="utf-8"
    )

    [result] = certify(folder, chosen("burst"))

    assert (result.result, result.why) == (PASSED, "")
