"""The steps of scenarios, one function a verb: each does something on the bench and checks what came of it."""

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
from sqlalchemy import select

import adapters
from adapters.samples import inbound_samples, outbound_of
from canonical.case import Case
from canonical.message import Message, Verdict
from canonical.reading import Outcome, Reading
from gateway.certify.bench import SOURCE, UNIT, Bench, until
from gateway.certify.change import DEAD_LINK, HUGE_FILE, CannotChange, Given, NoSuchThing, changed
from gateway.certify.code_row import without_row
from gateway.certify.material import Play
from gateway.certify.scenario import Step
from gateway.certify.sending import Exchange, alike, masked, same, veiled
from gateway.reception import named, summed_up
from storage.tables import attachment

CALM = {"slow": 0, "silent": 0, "down": 0, "drop_answer": 0, "return": 0, "delay": 0, "refuse": 0}
_SENDERS = 8
_SETTLED = frozenset({"stored", "gone"})
"""States of a file that is not tried again."""
_COUNTED = frozenset({Verdict.COUNTED, Verdict.NOTED})
_UNHEARD = frozenset({"down", "silent"})
"""What the simulated platform calls requests that it did not look into."""


_ENDED = frozenset({"closed", "evaluated"})
_ONE_ANSWER = (
    "门只有一种应答, 拒绝与成功无从由应答分辨, 只看了账 | "
    "the door has one answer whatever comes: no refusal can be told by it, the books alone were looked at"
)


class Broken(Exception):
    """Something that must hold does not."""


@dataclass(slots=True)
class Stage:
    """What one scenario has done so far."""

    bench: Bench
    number: int
    exchanges: list[Exchange] = field(default_factory=list)
    success: str = ""
    """What the platform was answered when its first message became a case."""
    case_no: str = ""
    others: int = 0
    restore: Callable[[], None] | None = None
    marker: str = ""
    """Words of the case handed over, that no other case has."""
    limit: str = ""
    """What this scenario could not look at although it passed."""
    items: int = 0
    """How many cases the simulated platform had before one was handed over."""

    def play_of(self, step: Step) -> Play:
        """The sample of a step."""
        found = self.bench.material.action if step.sample == "action" else self.bench.material.report
        assert found is not None  # the scenario's needs
        return found

    def message(self, step: Step, play: Play) -> Message:
        """The sample under the scenario's ids, or under ids of its own."""
        self.others += step.fresh
        return play.fresh(self.number + (self.others if step.fresh else 0))

    def note(self, sent: str, answer: str = "", outcome: Outcome | None = None) -> None:
        """Evidence for the report."""
        told = (str(outcome.verdict), str(outcome.why or ""), outcome.text) if outcome else ("", "", "")
        self.exchanges.append(Exchange(*map(self.veiled, (sent, answer, *told))))

    def veiled(self, text: str) -> str:
        """A text as the report may show it."""
        return veiled(text, self.bench.material.names, self.bench.secrets.values())

    def end(self) -> None:
        """As it was before: the tables, and a platform that behaves."""
        if self.restore:
            self.restore()
        if self.bench.simulated:
            self.bench.client.post(f"{self.bench.other_url}/_sim/behaviour", json=CALM)


def play(stage: Stage, step: Step) -> None:
    """Do a step. Raises Broken, CannotChange."""
    before = stage.bench.books()["cases"]["all"]
    _VERBS[step.do](stage, step)
    if step.cases is not None:
        _counted(stage, before + step.cases, before)
    if step.done:
        _done(stage, step)
    if step.received is not None:
        _received(stage, step.received, step.seconds)


def _counted(stage: Stage, wanted: int, before: int) -> None:
    if not until(lambda: stage.bench.books()["cases"]["all"] >= wanted, 10.0):
        pass  # told below with the number that is there
    found = stage.bench.books()["cases"]["all"]
    if found != wanted:
        raise Broken(f"应多 {wanted - before} 案, 实多 {found - before} | {found - before} cases more")


# --- messages of the platform ---


def _send(stage: Stage, step: Step) -> None:
    play_, bench = stage.play_of(step), stage.bench
    if step.change == "without_row":
        _send_without_row(stage, step, play_)
        return
    given = Given(bench.material, play_, stage.message(step, play_), bench.hub.now(), bench.files_url)
    for message in changed(step.change, given):
        outcome, answer = _told(stage, message)
        stage.note(masked(message, bench.material.names, bench.secrets.values()), answer, outcome)
        _judged(stage, step, outcome, answer)


def _told(stage: Stage, message: Message) -> tuple[Outcome, str]:
    """Over the wire where the platform pushes, else as a pull or receiver hands it in."""
    bench = stage.bench
    if message.door not in bench.material.doors:
        return summed_up(bench.hand_in(message)), ""
    newest = bench.newest()
    answer = bench.push(message)
    rows = bench.rows_since(newest)
    if not rows:
        raise Broken(f"交换记录里没有这条报文 | not in the journal: HTTP {answer.status_code}")
    row = rows[-1]
    return Outcome(Verdict(row.verdict), row.case_no, row.why or None, row.text), _answer(answer)  # type: ignore[arg-type]


def _answer(answer: httpx.Response) -> str:
    return f"HTTP {answer.status_code}\n{answer.text}"


def _judged(stage: Stage, step: Step, outcome: Outcome, answer: str) -> None:
    adds = stage.play_of(step).reading.addition is not None
    allowed = [one for one in step.verdict if one is not Verdict.ADDED or adds]
    if step.verdict and outcome.verdict not in allowed:
        wanted = " / ".join(allowed)
        raise Broken(f"应为 {wanted}, 实为 {outcome.verdict} ({outcome.text}) | {outcome.verdict} instead of {wanted}")
    if step.why and outcome.why and outcome.why not in step.why:
        raise Broken(f"原因不对 | the reason is {outcome.why}, not {' / '.join(step.why)}")
    if outcome.verdict is Verdict.CASE:
        stage.case_no, stage.success = outcome.case_no, stage.success or answer
    if answer and step.answer == "success" and stage.success and not same(answer, stage.success):
        raise Broken(f"没有答成功 | the answer is not that of success: {stage.veiled(answer)}")
    if answer and step.answer == "refusal" and _one_answer(stage):
        stage.limit = _ONE_ANSWER
    elif answer and step.answer == "refusal" and alike(answer, stage.success or stage.bench.said_success):
        raise Broken(f"拒绝却答了成功 | refused, but answered as success: {stage.veiled(answer)}")
    if outcome.verdict is Verdict.CASE and answer:
        stage.bench.said_success = answer
    if step.same_text:
        _same_text(stage, step)


def _one_answer(stage: Stage) -> bool:
    """Whether the door says the same whatever comes: its platform reads no answer, so none can tell a refusal."""
    report = stage.bench.material.report
    door = stage.bench.declared.doors.get(report.message.door) if report else None
    rows = door.reply.rows if door and door.reply else ()
    return len(rows) == 1 and not rows[0].model_fields_set - {"body", "headers", "status"}


def _same_text(stage: Stage, step: Step) -> None:
    system, play_ = stage.bench.material.system, stage.play_of(step)
    unchanged = play_.fresh(stage.number)
    wanted = [one.report for one in system.read(stage.bench.material.signer.signed(unchanged, unchanged.at))
              if isinstance(one, Reading) and one.report]  # fmt: skip
    case = _case(stage)
    if not wanted or case["description"] != wanted[0].description:
        raise Broken("文字变了 | the text did not survive")


def _send_without_row(stage: Stage, step: Step, play_: Play) -> None:
    """To a hub whose table lacks the row: the private folder's, before it is put back."""
    bench = stage.bench
    message = bench.material.signer.signed(stage.message(step, play_), bench.hub.now())
    stage.restore = without_row(bench, play_, message)
    edited = bench.edited()
    try:
        arrivals = edited.reception.read(replace(message, at=edited.now(), id=edited.ids()), again=True)
        outcomes = bench.do(edited.reception.take_in(arrivals))
        outcome = summed_up(outcomes)
        answer = ""
        if message.door in bench.material.doors:
            parts = [(named(one), result) for one, result in zip(arrivals, outcomes, strict=True)]
            answer = edited.configuration.systems[bench.name].system.reply(message, outcome, parts).body.decode()
    finally:
        bench.do(edited.store.close())
    stage.note(masked(message, bench.material.names, bench.secrets.values()), answer, outcome)
    _judged(stage, step, outcome, "")


def _add_row(stage: Stage, _step: Step) -> None:
    assert stage.restore is not None
    stage.restore()
    stage.restore = None
    stage.note("补上对照行 | the row is added")


def _replay(stage: Stage, step: Step) -> None:
    edited = stage.bench.edited()
    try:
        waiting = stage.bench.do(edited.journal.deferred(Verdict.QUARANTINED, system=stage.bench.name))
        outcomes = stage.bench.do(edited.reception.take_in_again(waiting))
    finally:
        stage.bench.do(edited.store.close())
    if not outcomes:
        raise Broken("隔离区里没有报文 | nothing was quarantined")
    for outcome in outcomes.values():
        stage.note("重放 | replayed", "", outcome)
        _judged(stage, step, outcome, "")


def _burst(stage: Stage, step: Step) -> None:
    play_, bench = stage.play_of(step), stage.bench
    alarm = play_.reading.alarm
    cap = bench.declared.alarms[alarm.kind].cap if alarm and alarm.kind in bench.declared.alarms else 0
    if 0 < cap < step.number + stage.number:
        raise NoSuchThing(f"声明限 {cap} 案防告警风暴 | a storm of alarms is capped at {cap} cases")
    fresh = [play_.fresh(stage.number + 1 + index) for index in range(step.number)]
    messages = [bench.material.signer.signed(one, bench.hub.now()) for one in fresh]
    if play_.message.door not in bench.material.doors:
        outcomes = [outcome for message in messages for outcome in bench.hand_in(message)]
        wrong = Counter(str(one.verdict) for one in outcomes if one.verdict not in step.verdict)
        stage.note(f"{step.number} × {play_.name}")
    else:
        with ThreadPoolExecutor(_SENDERS) as senders:
            answers = [_answer(one) for one in senders.map(bench.push, messages)]
        wrong = Counter(stage.veiled(one) for one in answers if not same(one, answers[0]))
        stage.note(f"{step.number} × {play_.name}", answers[0])
    if wrong:
        raise Broken(f"{wrong.total()} 件没有成功 | not taken: {wrong.most_common(1)[0][0]}")


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


def _emit(stage: Stage, step: Step) -> None:
    """Its own report, as it makes it: pushed, or found by the next pull."""
    bench = stage.bench
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
    rows = bench.do(bench.hub.casebook.latest(1))
    stage.case_no = rows[0].no
    stage.note(f"模拟平台上报 {step.number} 件 | the platform reports", f"{len(ids)}: {', '.join(ids[:5])}")


def _behave(stage: Stage, step: Step) -> None:
    answer = stage.bench.client.post(f"{stage.bench.other_url}/_sim/behaviour", json=step.switches)
    if answer.status_code != httpx.codes.OK:
        raise Broken(f"模拟平台不认 | the simulated platform knows no such switch: {answer.text[:200]}")
    stage.note(f"模拟平台 | the platform: {json.dumps(step.switches)}")


def _items(bench: Bench) -> int:
    return len(bench.client.get(f"{bench.other_url}/_sim/items").json())


def _received(stage: Stage, wanted: int, seconds: float) -> None:
    """How many cases the simulated platform made of it; where it keeps none, how often it was asked to."""
    bench = stage.bench
    if not bench.simulated:
        return

    def found() -> int:
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
    "redispatch": {"unit": UNIT, "reason": "再派"},
    "ask_extension": {"reason": "需要备料", "limit": {"value": 2, "unit": "work_day"}},
    "dispose": {"result": "已处置完毕"},
    "check": {"result": "现场核实已恢复"},
    "close": {"result": "已办结"},
    "cancel": {"reason": "重复"},
}
"""What each order of the centre holds besides its kind."""


def _act(stage: Stage, step: Step) -> None:
    case = _case(stage)
    if step.action == "close" and case["stage"] == "closed":
        return  # the city's policy closes after a passed check
    order = {"kind": step.action, **_ORDERS[step.action]}
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


def _case(stage: Stage) -> dict[str, Any]:
    case: dict[str, Any] = stage.bench.api("GET", f"/api/cases/{stage.case_no}").json()
    return case


def _until(stage: Stage, step: Step) -> None:
    """The case's stage, and the state of everything sent about it to this platform."""
    states = step.state.split("/") if step.state else []
    case: dict[str, Any] = {}

    def there() -> bool:
        nonlocal case
        case = _case(stage)
        sent = [row for row in case["deliveries"] if row["system"] == stage.bench.name]
        return (not step.stages or case["stage"] in step.stages) and (
            not states or (bool(sent) and all(row["state"] in states for row in sent))
        )

    reached = until(there, step.seconds)
    sent = [f"{row['message']}: {row['state']} {row['text']}" for row in case["deliveries"]]
    stage.note(f"等到 | until {' / '.join([*step.stages, *states])}", "\n".join([case["stage"], *sent]))
    if not reached:
        raise Broken(f"{step.seconds:g} 秒内没有等到 | still {case['stage']}; {'; '.join(sent)}")


def _done(stage: Stage, step: Step) -> None:
    def found() -> Counter[str]:
        return Counter(event["action"]["kind"] for event in _case(stage)["events"])

    until(lambda: all(found()[kind] >= count for kind, count in step.done.items()), step.seconds)
    for kind, count in step.done.items():
        if found()[kind] != count:
            raise Broken(f"{kind}: 应 {count} 次, 实 {found()[kind]} 次 | done {found()[kind]} times, not {count}")


def _files(stage: Stage, step: Step) -> None:
    """The file behind the replaced link was tried and is not kept, and the case stands."""
    bench = stage.bench

    async def tried() -> list[tuple[str, int, int]]:
        case = await bench.hub.casebook.journey(stage.case_no)
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
    "send": _send, "samples": _samples, "add_row": _add_row, "replay": _replay, "burst": _burst, "emit": _emit,
    "behave": _behave, "hand_over": _hand_over, "act": _act, "until": _until, "files": _files,
}  # fmt: skip
