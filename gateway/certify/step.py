"""The steps of scenarios, one function a verb: each does something on the bench and checks what came of it."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
from sqlalchemy import select

import adapters
from adapters.samples import inbound_samples, outbound_of
from canonical.case import Case
from canonical.message import Verdict
from canonical.records import STUCK
from canonical.rights import EVERYTHING
from gateway.certify.bench import SOURCE, UNIT, Bench, until
from gateway.certify.change import DEAD_LINK, HUGE_FILE, CannotChange, NoSuchThing
from gateway.certify.channel import NotTaken
from gateway.certify.message_step import add_row, burst, half, replay, send, whole
from gateway.certify.reach import Unreached, reached
from gateway.certify.scenario import Step
from gateway.certify.stage import Broken, Stage, case_of
from gateway.certify.working import work
from gateway.stub_answer import Answered, stored_answers, verdict_of
from storage.tables import attachment

_COUNTING = 10.0
_MANY = 60.0
"""Seconds at most until what was left in a list, a folder or a table is a case each."""
_SETTLED = frozenset({"stored", "gone"})
"""States of a file that is not tried again."""
_COUNTED = frozenset({Verdict.COUNTED, Verdict.NOTED})
_UNHEARD = frozenset({"down", "silent"})
"""What the simulated platform calls requests that it did not look into."""
_ENDED = frozenset({"closed", "evaluated"})


def play(stage: Stage, step: Step) -> None:
    """Do a step. Raises Broken, CannotChange."""
    before = stage.bench.books()["cases"]["all"]
    _VERBS[step.do](stage, step)
    if step.cases is not None:
        _counted(stage, before + step.cases, before, _MANY if step.do == "burst" else _COUNTING)
    if step.done:
        _done(stage, step)
    if step.received is not None:
        _received(stage, step.received, step.seconds)


def _counted(stage: Stage, wanted: int, before: int, seconds: float) -> None:
    if not until(lambda: stage.bench.books()["cases"]["all"] >= wanted, seconds):
        pass  # told below with the number that is there
    found = stage.bench.books()["cases"]["all"]
    if found != wanted:
        raise Broken(f"应多 {wanted - before} 案, 实多 {found - before} | {found - before} cases more")


# --- the platform's own side ---


def _samples(stage: Stage, _step: Step) -> None:
    bench = stage.bench
    findings = [one for one in adapters.check(bench.given) if one.severity == "error"]
    read, written = len(inbound_samples(bench.given)), len(bench.material.writes)
    stage.note(f"读 read {read}, 写 written {written}")
    if findings:
        raise Broken("; ".join(map(str, findings[:5])))
    if not read + written:
        raise Broken("没有样例 | there is no sample")
    for path, message in stored_answers(bench.given, bench.material.system):
        _good_answer(bench, path.name, message, Answered(path.read_bytes(), status=200))


def _good_answer(bench: Bench, name: str, message: str, answer: Answered) -> None:
    """A sample answer is one that says yes; the folder must hear that."""
    judged = verdict_of(bench.material.system, message, answer)
    if judged != "accepted":
        rows = bench.material.answer_of(message)
        raise Broken(
            f"samples/{name}: 收下的回执被判为 {judged}: 见 system.yaml 的 answers.{rows} | "
            f"an answer that says yes is judged {judged}: see answers.{rows} in system.yaml"
        )


def _emit(stage: Stage, step: Step) -> None:
    """Its own report, as it makes it: pushed, or found by the next pull."""
    bench = stage.bench
    if not bench.simulated:
        send(stage, step.model_copy(update={"verdict": (Verdict.CASE,)}))
        return
    before, newest = bench.books()["cases"]["all"], bench.newest()
    ids = bench.client.post(f"{bench.other_url}/_sim/emit", json={"n": step.number}).json().get("ids", [])
    if not ids:
        raise CannotChange("模拟平台没有发出上报 | the simulated platform reported nothing")

    def arrived() -> bool:
        return bool(bench.books()["cases"]["all"] >= before + step.number)

    def counted() -> bool:
        return bool(bench.declared.alarms) and any(row.verdict in _COUNTED for row in bench.rows_since(newest))

    until(lambda: arrived() or counted(), step.seconds)
    if not arrived():
        if counted():
            raise NoSuchThing("报警先计数，还不成案 | the alarm is counted first: it makes no case yet")
        raise Broken(f"{step.seconds:g} 秒内没有成案 | no case in {step.seconds:g} s")
    rows = bench.do(bench.hub.casebook.latest(1, scope=EVERYTHING))
    stage.case_no = rows[0].no
    stage.note(f"模拟平台上报 {step.number} 件 | the platform reports", f"{len(ids)}: {', '.join(ids[:5])}")


def _behave(stage: Stage, step: Step) -> None:
    side = stage.bench.side
    if side is not None:
        side.behave(step.switches)
        stage.note(f"对方由声明推出 | the other side, made of the folder: {json.dumps(step.switches)}")
        return
    if not stage.bench.simulated:
        raise CannotChange("演练台只能让 HTTP 对端出错 | the bench can only let the other side of HTTP misbehave")
    answer = stage.bench.client.post(f"{stage.bench.other_url}/_sim/behaviour", json=step.switches)
    if answer.status_code != httpx.codes.OK:
        raise Broken(f"模拟平台不认 | the simulated platform knows no such switch: {answer.text[:200]}")
    stage.note(f"模拟平台 | the platform: {json.dumps(step.switches)}")


def _items(bench: Bench) -> int:
    return len(bench.client.get(f"{bench.other_url}/_sim/items").json())


def _received(stage: Stage, wanted: int, seconds: float) -> None:
    """How many cases the simulated platform made of it; where it keeps none, how often it was asked to."""
    bench = stage.bench
    if not bench.simulated and not bench.played:
        return

    def found() -> int:
        if bench.side is not None:
            return bench.side.has({*bench.material.tells("owner").values(), *bench.material.tells("both").values()})
        if bench.exchange is not None:
            return bench.exchange.count(stage.marker)
        made = _items(bench) - stage.items
        if made:
            return made
        asked = bench.client.get(f"{bench.other_url}/_sim/state", params={"limit": 200}).json()["received"]
        return sum(stage.marker in one["body"] and one["verdict"] not in _UNHEARD for one in asked)

    until(lambda: found() >= wanted, seconds)
    if found() != wanted:
        raise Broken(f"对方有 {found()} 件, 应为 {wanted} | the platform has it {found()} times, not {wanted}")


# --- handing over, and the centre ---


def example_case(bench: Bench) -> Case:
    """The case of the folder's own outbound sample: its class has a row in the platform's tables."""
    message = bench.material.tells("owner").get("dispatch") or bench.material.tells("both").get("dispatch", "")
    for path in bench.material.writes:
        golden = json.loads(path.read_text(encoding="utf-8"))
        if golden.get("message") == message and "given" in golden:
            return outbound_of(message, golden["given"]).case
    raise CannotChange("没有派遣的样例 | no sample of the message that hands over")


def _hand_over(stage: Stage, _step: Step) -> None:
    bench, example = stage.bench, example_case(stage.bench)
    stage.items = _items(bench) if bench.simulated else 0
    if bench.side is not None:
        bench.side.handing_over()
    key = f"handed-{stage.number}"
    stage.marker = f"认证第{stage.number}件"
    body = {"id": key, "description": f"{stage.marker}：{example.description}", "address": "示例路1号"}
    answer = bench.client.post(f"{bench.url}/in/{SOURCE}", json=body, headers={"key": bench.secret})
    stage.case_no = answer.json()["no"]
    filing: dict[str, Any] = {
        "kind": "file", "place": {"area": bench.area, "lon": 118.38, "lat": 31.36},
    }  # fmt: skip
    filing["class_code"] = str(example.class_code or "30428.2:E01-10")
    _order(stage, filing)
    _order(stage, {"kind": "dispatch", "unit": UNIT})
    stage.note("立案并派遣给平台 | filed, and handed to the platform", stage.case_no)


def _order(stage: Stage, order: dict[str, Any]) -> None:
    answer = stage.bench.api("POST", f"/api/cases/{stage.case_no}/actions", json=order)
    if answer.status_code != httpx.codes.OK:
        raise Broken(f"中心的指令未被接受 | an order of the centre was refused: {order['kind']}: {answer.text[:300]}")


_ORDERS: dict[str, dict[str, Any]] = {
    "file": {"class_code": "30428.2:E01-10"},
    "refuse": {"reason": "不属于受理范围"},
    "dispatch": {"unit": "certify_desk"},
    "dispatch_back": {"kind": "dispatch", "unit": UNIT},
    "redispatch": {"unit": UNIT, "reason": "再派"},
    "ask_extension": {"reason": "需要备料", "limit": {"value": 2, "unit": "work_day"}},
    "dispose": {"result": "已处置完毕"},
    "check": {"result": "现场核实已恢复"},
    "close": {"result": "已办结"},
    "cancel": {"reason": "重复"},
}
"""What each order of the centre holds besides its kind."""


def _act(stage: Stage, step: Step) -> None:
    case = case_of(stage)
    if step.action == "close" and case["stage"] in _ENDED:
        return  # the city's policy closes after a passed check
    order = {"kind": step.action} | _ORDERS[step.action]
    if bench_side := stage.bench.side:
        bench_side.handing_over()
    if step.action == "refuse" and case["stage"] != "reported":  # the city files such a class by itself
        if "cancel" not in stage.bench.material.tells("source"):
            raise NoSuchThing("城市自动立案，声明不告知作废 | filed by itself, and the source is not told of the end")
        if case["stage"] in _ENDED:
            raise NoSuchThing(
                "平台已自行办结, 无可作废 | the platform had worked its own report to the end: nothing to end"
            )
        order = {"kind": "cancel", **_ORDERS["cancel"]}
    if step.action == "file":
        known = case.get("class_code")
        order |= {"place": {"area": stage.bench.area}} | ({"class_code": known} if known else {})
        if case["stage"] != "reported":
            return
    _order(stage, order)
    stage.note(f"中心 | the centre: {order['kind']}", stage.case_no)


def _until(stage: Stage, step: Step) -> None:
    """The case's stage, and the state of everything sent about it to this platform."""
    if stage.bench.played and _WORKED & set(step.stages):
        _work(stage, step)
    states = step.state.split("/") if step.state else []
    case: dict[str, Any] = {}

    def there() -> bool:
        nonlocal case
        case = case_of(stage)
        sent = [row for row in case["deliveries"] if row["system"] == stage.bench.name]
        return (not step.stages or case["stage"] in step.stages) and (
            not states or (bool(sent) and all(row["state"] in states for row in sent))
        )

    def hopeless() -> bool:
        return (
            bool(states) and not STUCK.intersection(states) and any(row["state"] in STUCK for row in case["deliveries"])
        )

    until(lambda: there() or hopeless(), step.seconds)
    reached = there()
    sent = [f"{row['message']}: {row['state']} {row['text']}" for row in case["deliveries"]]
    stage.note(f"等到 | until {' / '.join([*step.stages, *states])}", "\n".join([case["stage"], *sent]))
    if not reached:
        raise Broken(f"{step.seconds:g} 秒内没有等到, 或已搁置 | parked, or still {case['stage']}; {'; '.join(sent)}")


def _reach(stage: Stage, _step: Step) -> None:
    """The live platform is there, lets us in and shows its lists."""
    try:
        for found in reached(stage.bench):
            stage.note(found)
    except Unreached as error:
        stage.bench.unreached = True
        raise Broken(str(error)) from None


def _not_believed(stage: Stage, step: Step) -> None:
    """What was answered was no answer of the platform's: the hub must not hold it for one."""
    side = stage.bench.side
    assert side is not None  # the scenario's needs
    if not until(lambda: side.state.switches["page"] == 0, step.seconds):
        raise Broken("没有发出 | nothing was sent")
    believed: list[str] = []

    def settled() -> bool:
        sent = [row for row in case_of(stage)["deliveries"] if row["system"] == stage.bench.name]
        believed[:] = [row["message"] for row in sent if row["state"] == "acknowledged"]
        return bool(believed) or any(row["text"] or row["state"] in STUCK for row in sent)

    until(settled, step.seconds)
    taken = side.has(set(believed))
    stage.note("对方只答了一页网页 | the platform answered a page for people", ", ".join(believed) or "not believed")
    if believed and not taken:
        raise Broken(
            f"一页网页被当作收下 | a page for people is held for an answer: {', '.join(believed)}: "
            f"answers.{stage.bench.material.answer_of(believed[0])}"
        )


_WORKED = frozenset({"disposed", "returned"})
"""Stages to which the owner's own work leads."""


def _work(stage: Stage, step: Step) -> None:
    """The bench works in the platform's place, once it has the case."""
    _until(stage, step.model_copy(update={"stages": (), "state": "acknowledged"}))
    try:
        work(stage)
    except NotTaken as error:
        raise Broken(str(error)) from None


def _done(stage: Stage, step: Step) -> None:
    def found() -> Counter[str]:
        return Counter(event["action"]["kind"] for event in case_of(stage)["events"])

    until(lambda: all(found()[kind] >= count for kind, count in step.done.items()), step.seconds)
    for kind, count in step.done.items():
        if found()[kind] != count:
            raise Broken(f"{kind}: 应 {count} 次, 实 {found()[kind]} 次 | done {found()[kind]} times, not {count}")


def _files(stage: Stage, step: Step) -> None:
    """The file behind the replaced link was tried and is not kept, and the case stands."""
    bench = stage.bench

    async def tried() -> list[tuple[str, int, int]]:
        case = await bench.hub.casebook.journey(stage.case_no, scope=EVERYTHING)
        assert case is not None
        columns = (attachment.c.state, attachment.c.attempts, attachment.c.size)
        async with bench.hub.store.transaction() as transaction:
            spoiled = attachment.c.url.in_((DEAD_LINK, f"{bench.files_url}/{HUGE_FILE}"))
            query = select(*columns).where(attachment.c.case_id == case.case.id, spoiled)
            return [(row[0], row[1], row[2]) for row in await transaction.connection.execute(query)]

    rows: list[tuple[str, int, int]] = []

    def all_tried() -> bool:
        nonlocal rows
        rows = bench.do(tried())
        return bool(rows) and all(state in _SETTLED or (state == "waiting" and attempts) for state, attempts, _ in rows)

    reached = until(all_tried, step.seconds)
    stage.note("附件 | files", ", ".join(f"{state} ({attempts}×)" for state, attempts, _ in rows))
    if not reached:
        raise Broken("附件没有被取 | the files were not tried")
    if any(size or state == "stored" for state, _, size in rows):
        raise Broken("取到了不该有的附件 | a file was kept that is not there")


_VERBS: dict[str, Callable[[Stage, Step], None]] = {
    "send": send, "samples": _samples, "add_row": add_row, "replay": replay, "burst": burst, "emit": _emit,
    "behave": _behave, "hand_over": _hand_over, "act": _act, "until": _until, "files": _files, "half": half,
    "whole": whole, "not_believed": _not_believed, "reach": _reach,
}  # fmt: skip
