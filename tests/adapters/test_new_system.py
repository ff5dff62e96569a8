"""A stranger's platform is one folder of data; everything wrong with it is said at once, with file, line and key."""

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

import adapters
from canonical.errors import Misconfigured, Unacceptable, UnmappedCode
from canonical.findings import Finding
from canonical.message import Message, Verdict
from canonical.reading import Outcome, Reading
from canonical.time import SHANGHAI
from tests.adapters.systems import FOLDERS, ID, NOW, inbound, outbound_of

SYSTEM = """\
title: 园林巡查平台
edition: "1"
roles: [source, owner]
charset: gb18030
crs: GCJ-02
secrets: {key: {title: 约定的密钥}}
connector: {protocol: http}
doors:
  trees:
    path: trees
    media: [text/xml]
    shape: [xml: {lists: [tree]}]
    authenticate: {from: trees.key, secret: key}
    items: trees.tree
    messages: [tree]
    reply:
      format: text
      words:
        unreadable: "1"
        too_large: "2"
        unauthenticated: "3"
        contract: "4"
        unmapped_code: "5"
        implausible: "6"
        unknown_case: "7"
        not_allowed: "8"
        unknown_message: "9"
        not_taken: "10"
      rows:
        - {verdict: [case, joined, repeated, applied, split, held], body: success}
        - body: {text: "fail:{words}"}
pulls:
  fallen:
    every: 30
    page_size: 2
    first_page: 0
    ask: list_fallen
    items: rows
    messages: [tree]
answers:
  plain:
    shape: [json]
    rows:
      - {http: "503", then: unavailable}
      - {when: {code: ok}, then: accepted, external_id: {from: id}}
      - {when: {code: {present: "yes"}}, then: refused, text: {from: code}}
tells:
  owner: {dispatch: plant}
  both: {dispatch: plant}
"""
TREE = """\
direction: in
title: 倒伏树木
contract: tree.schema.json
external_id: {text: "T-{no}"}
report:
  title: {of: [{from: kind}, {from: road}], join: " "}
  class: {from: kind, codes: kinds}
  reported_at: {from: at, time: epoch_ms}
  coordinate: {x: {from: lng}, y: {from: lat}}
  urgency: {from: blocked, codes: {"Y": urgent, "N": normal}, default: normal}
  channel: 巡查
"""
PLANT = """\
direction: out
title: 补种
repeat: safe
path: {text: "/api/cases/{case.no}/plant"}
method: PUT
format: xml
root: order
answer: plain
headers: {X-Key: {secret: key}}
body:
  no: {from: case.reference}
  note: {from: case.description, cut: 5}
  photos: {photo: {from: case.attachments, each: {from: url}}}
"""
LIST = """\
direction: ask
title: 查询倒伏
repeat: safe
method: GET
path: {text: "/api/fallen?page={pull.page}&size={pull.page_size}"}
answer: plain
"""
SCHEMA = {
    "type": "object",
    "required": ["no", "kind"],
    "properties": {
        "no": {"type": ["string", "integer"]},
        "kind": {"type": "string", "maxLength": 20},
        "road": {"type": "string"},
        "at": {"type": ["string", "integer"]},
        "lng": {"type": ["string", "number"]},
        "lat": {"type": ["string", "number"]},
        "blocked": {"type": "string"},
    },
}
KINDS = "local,canonical,title\n行道树,30428.2:P04-02,行道树\n古树,30428.2:P04-01,古树名木\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "system.yaml": SYSTEM,
        "messages/tree.yaml": TREE,
        "messages/plant.yaml": PLANT,
        "messages/list_fallen.yaml": LIST,
        "contract/tree.schema.json": json.dumps(SCHEMA),
        "codes/kinds.csv": KINDS,
    }
    for name, text in files.items():
        path = tmp_path / "parks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "parks"


PUSH = """<?xml version="1.0" encoding="utf-8"?><trees><key>K</key>
<tree><no>7</no><kind>行道树</kind><road>样板街</road><at>1779235200000</at><lng>118.4</lng><lat>31.3</lat></tree>
<tree><no>8</no><kind>灌木</kind></tree></trees>"""


def test_a_new_platform_works_from_its_folder_alone(folder: Path) -> None:
    assert adapters.check(folder) == []
    system = adapters.load(folder, {"key": "K"}, name="parks_south")
    push = inbound(PUSH.encode("gb18030"), content_type="text/xml")

    first, second = system.receive(push)

    assert isinstance(first, Reading)
    assert first.report
    assert (first.external_id, first.report.title) == ("T-7", "行道树 样板街")
    assert first.report.reported_at == datetime(2026, 5, 20, 8, 0, tzinfo=SHANGHAI)
    assert first.report.coordinate
    assert first.report.coordinate.crs == "GCJ-02"
    assert isinstance(second, UnmappedCode)
    assert (second.at, second.key) == ("kind", "T-8")
    assert system.reply(push, Outcome(Verdict.CASE)).body == b"success"
    assert system.reply(push, Outcome(Verdict.REFUSED, why=second.why)).body == b"fail:5"
    assert (system.role.id, system.doors[0].path.text) == ("parks_south", "trees")


def test_it_writes_xml_in_its_own_charset_under_the_citys_name(folder: Path) -> None:
    system = adapters.load(folder, {"key": "K"}, name="parks_south")
    case = {"description": "补种两棵行道树", "attachments": [{"url": "u1"}, {"url": "u2"}]}
    action = {"kind": "dispatch", "at": NOW, "actor": {"party": "hub", "id": "R1"}}

    message = system.write(outbound_of("plant", {"case": case, "action": action}), now=NOW, id=ID)

    inner = "<no>34022026052000001-1</no><note>补种两棵行</note><photos><photo>u1</photo><photo>u2</photo></photos>"
    assert message.body.decode("gb18030") == f'<?xml version="1.0" encoding="gb18030"?><order>{inner}</order>'
    assert (message.method, message.path) == ("PUT", "/api/cases/34022026052000001/plant")
    assert (message.system, message.headers["x-key"]) == ("parks_south", "K")


def test_pages_without_a_total_go_on_while_they_are_full(folder: Path) -> None:
    system = adapters.load(folder, {"key": "K"})
    asked = system.ask("fallen", since=NOW - timedelta(hours=1), until=NOW, page=3, now=NOW, id=ID)

    def page(rows: int) -> adapters.Page:
        body = json.dumps({"code": "OK", "rows": [{"no": n, "kind": "古树"} for n in range(rows)]}).encode()
        return system.page(
            "fallen", Message(system="parks", body=body, at=NOW, id=ID, status=200), now=NOW, ids=uuid4, page=3
        )

    assert (asked.method, asked.path, asked.body) == ("GET", "/api/fallen?page=3&size=2", b"")
    assert (page(2).more, page(1).more, page(0).more) == (True, False, False)
    [reading] = system.read(page(1).items[0])
    assert isinstance(reading, Reading)
    assert reading.external_id == "T-0"


def changed(folder: Path, file: str, old: str, new: str) -> list[Finding]:
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return adapters.check(folder)


FAULTS = [
    ("system.yaml", "title: 园林", "titel: 园林", 1, "titel", "did you mean 'title'?"),
    ("system.yaml", "roles: [source, owner]", "roles: [sauce]", 3, "roles.0", "'source' or 'owner'"),
    ("system.yaml", "charset: gb18030", "charset: gb99", 4, "charset", "no charset"),
    ("system.yaml", "messages: [tree]", "messages: [treee]", 15, "doors.trees.messages", "did you mean 'tree'?"),
    ("system.yaml", "secret: key}", "secret: kee}", 13, "doors.trees.authenticate.secret", "no declared secret"),
    ("system.yaml", "        - body: {text: \"fail:{words}\"}\n", "", 29, "doors.trees.reply.rows", "no row fits"),
    ("system.yaml", "ask: list_fallen", "ask: list_fall", 37, "pulls.fallen.ask", "did you mean 'list_fallen'?"),
    ("system.yaml", "then: unavailable", "then: later", 44, "answers.plain.rows.0.then", "'accepted'"),
    ("system.yaml", "dispatch: plant", "dispatch: plants", 48, "tells.owner.dispatch", "did you mean 'plant'?"),
    ("system.yaml", "dispatch: plant", "despatch: plant", 48, "tells.owner.despatch", "'dispatch'"),
    ("system.yaml", "shape: [xml: {lists: [tree]}]", "shape: []", 12, "doors.trees.shape", "at least 1"),
    ("messages/tree.yaml", "{from: kind, codes: kinds}", "{from: knid, codes: kinds}", 7, "report.class.from",
     "did you mean 'kind'?"),
    ("messages/tree.yaml", "{from: kind, codes: kinds}", "{from: kind}", 7, "report.class", "needs a code table"),
    ("messages/tree.yaml", "codes: kinds", "codes: kind", 7, "report.class.codes", "did you mean 'kinds'?"),
    ("messages/tree.yaml", "codes: kinds", "coeds: kinds", 7, "report.class.coeds", "did you mean 'codes'?"),
    ("messages/tree.yaml", "time: epoch_ms", "time: YYYY-MM", 8, "report.reported_at.time", "'Y' is not known"),
    ("messages/tree.yaml", "{from: at, time: epoch_ms}", "{from: at}", 8, "report.reported_at", "needs a pattern"),
    ("messages/tree.yaml", '"Y": urgent', '"Y": soon', 10, "report.urgency.codes.Y", "is expected, not 'soon'"),
    ("messages/tree.yaml", "contract: tree", "contract: treee", 0, "", "missing: the schema"),
    ("messages/tree.yaml", "title: 倒伏", "direction: in\ntitle: 倒伏", 2, "direction", "stands here twice"),
    ("messages/plant.yaml", "{from: case.reference}", "{from: case.referense}", 11, "body.no.from",
     "did you mean 'reference'?"),
    ("messages/plant.yaml", "repeat: safe", "repeat: always", 3, "repeat", "'safe', 'guarded' or 'never'"),
    ("messages/plant.yaml", "root: order\n", "", 6, "format", "add root"),
    ("messages/plant.yaml", "secret: key", "secret: kay", 9, "headers.X-Key.secret", "did you mean 'key'?"),
    ("codes/kinds.csv", "30428.2:P04-01", "30428:P04-01", 3, "canonical", "is not a class code"),
    ("codes/kinds.csv", "古树,", "行道树,", 3, "local", "has a row already, line 2"),
    ("codes/kinds.csv", "古树,", "*,", 3, "local", "would guess"),
    ("codes/kinds.csv", "local,canonical", "code,class", 1, "", "the header is local,canonical"),
    ("contract/tree.schema.json", '"type": "object"', '"type": "objekt"', 0, "type", "not a JSON Schema"),
    ("contract/tree.schema.json", '{"type": "object"', '{"pattern": "[", "type": "object"', 0, "pattern",
     "not a JSON Schema"),
    ("contract/tree.schema.json", '{"type": "object"', '{"patternProperties": {"(": {}}, "type": "object"', 0,
     "patternProperties", "not a JSON Schema"),
    ("messages/tree.yaml", "title: 倒伏", f"deep: {'[' * 2_000}{']' * 2_000}\ntitle: 倒伏", 0, "",
     "nested too deeply"),
    ("messages/tree.yaml", "title: 倒伏", f"deep: {'[' * 200_000}{']' * 200_000}\ntitle: 倒伏", 0, "",
     "nested too deeply"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "old", "new", "line", "key", "text"), FAULTS, ids=[f"{f[0]}-{f[2].strip()[:60]}" for f in FAULTS]
)
def test_a_fault_is_found_at_its_line(
    folder: Path, file: str, old: str, new: str, line: int, key: str, text: str
) -> None:
    findings = changed(folder, file, old, new)

    assert [f for f in findings if (f.line, f.key) == (line, key) and text in f.text], "\n".join(map(str, findings))


def test_all_faults_are_said_at_once(folder: Path) -> None:
    changed(folder, "codes/kinds.csv", "30428.2:P04-01", "P04-01")
    changed(folder, "messages/plant.yaml", "case.reference", "case.nummer")
    changed(folder, "messages/tree.yaml", "epoch_ms", "whenever")

    with pytest.raises(Misconfigured) as error:
        adapters.load(folder, {})

    for part in (
        "codes/kinds.csv:3",
        "messages/plant.yaml:11",
        "messages/tree.yaml:8",
        "secrets.key: not given: 约定的密钥",
    ):
        assert part in str(error.value)


def test_a_secret_is_never_part_of_a_finding(folder: Path) -> None:
    with pytest.raises(Misconfigured) as error:
        adapters.load(folder, {"key": "very-secret", "other": "also-secret"})

    assert "secret 'other' is given but not declared" in str(error.value)
    assert "very-secret" not in str(error.value)
    assert "also-secret" not in str(error.value)


@pytest.mark.parametrize("text", ["", "- a", "a: [", "a: b: c", "\t", "{"])
def test_a_file_that_is_no_mapping_is_a_finding(folder: Path, text: str) -> None:
    (folder / "system.yaml").write_text(text, encoding="utf-8")

    assert adapters.check(folder)


def test_a_folder_without_a_declaration_says_so(tmp_path: Path) -> None:
    assert [str(finding) for finding in adapters.check(tmp_path)] == ["system.yaml: error: missing"]


def test_a_code_in_yaml_keeps_its_zeros(folder: Path) -> None:
    rows = "{01: urgent, no: normal}, if: {blocked: [01, no, 1]}"
    assert changed(folder, "messages/tree.yaml", '{"Y": urgent, "N": normal}', rows) == []
    system = adapters.load(folder, {"key": "K"})

    for code, urgency in (("01", "urgent"), ("no", "normal")):
        body = json.dumps({"no": 1, "kind": "古树", "blocked": code}).encode("gb18030")
        [reading] = system.read(inbound(body, door="fallen"))
        assert isinstance(reading, Reading)
        assert reading.report
        assert reading.report.urgency == urgency
    [other] = system.read(inbound(json.dumps({"no": 1, "kind": "x", "blocked": "1"}).encode(), door="fallen"))
    assert isinstance(other, Unacceptable)


@pytest.mark.parametrize("shipped", FOLDERS, ids=lambda folder: folder.name)
def test_a_shipped_folder_loads_from_anywhere(shipped: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(shipped, copy)

    assert adapters.check(copy) == []
