"""Steps in which the platform sends something: its own sample, good or spoiled, once or very often."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from canonical.errors import Why
from canonical.message import Message, Verdict
from canonical.reading import Outcome, Reading
from gateway.certify.change import CannotChange, Given, NoSuchThing, changed
from gateway.certify.channel import HANDED_IN, NotTaken, answered, fetched, finished, half_written, many, told
from gateway.certify.code_row import without_row
from gateway.certify.material import Play
from gateway.certify.scenario import Step
from gateway.certify.sending import alike, masked, same
from gateway.certify.single import readable
from gateway.certify.stage import Broken, Stage, case_of
from gateway.reception import named, summed_up
from routing.storm import policy_of

_SENDERS = 8
_ONE_ANSWER = (
    "门只有一种应答, 拒绝与成功无从由应答分辨, 只看了账 | "
    "the door has one answer whatever comes: no refusal can be told by it, the books alone were looked at"
)

_UNSIGNED = (
    "演练台签不了这样的报文: 样例没有签名, 或签名不由声明算出 | the bench cannot sign the message: the sample shows no "
    "signature, or it is not computed as the declaration says (a query stands in the request line of a .http sample)"
)


def send(stage: Stage, step: Step) -> None:
    play_, bench = stage.play_of(step), stage.bench
    if step.change == "without_row":
        _send_without_row(stage, step, play_)
        return
    given = Given(bench.material, play_, stage.message(step, play_), bench.hub.now(), bench.files_url)
    for message in changed(step.change, given):
        outcome, answer = _told(stage, step, message)
        stage.note(masked(message, bench.material.names, bench.secrets.values()), answer, outcome)
        unwanted = outcome.verdict not in step.verdict or bool(step.why and outcome.why not in step.why)
        if outcome.why == Why.UNAUTHENTICATED and unwanted and not bench.material.signer.signs(message):
            raise CannotChange(_UNSIGNED)
        _judged(stage, step, outcome, answer)


def _told(stage: Stage, step: Step, message: Message) -> tuple[Outcome, str]:
    """As the platform brings it: pushed, or found where the hub looks for it."""
    bench = stage.bench
    news = Verdict.CASE in step.verdict or Verdict.REFUSED in step.verdict
    if message.door not in bench.material.doors and not fetched(bench, message.door):
        stage.limit = stage.limit or HANDED_IN
    try:
        return told(bench, message, stage.ids, news=news)
    except NotTaken as error:
        raise Broken(str(error)) from None


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
    case = case_of(stage)
    if not case["description"] and not case["title"]:
        where = f"messages/{play_.reading.kind}.yaml: report.description"
        raise Broken(f"案件没有文字 | the case says nothing ({play_.name}): {where}")
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
            answer = readable(edited.configuration.systems[bench.name].system.reply(message, outcome, parts).body)
    finally:
        bench.do(edited.store.close())
    stage.note(masked(message, bench.material.names, bench.secrets.values()), answer, outcome)
    _judged(stage, step, outcome, "")


def add_row(stage: Stage, _step: Step) -> None:
    assert stage.restore is not None
    stage.restore()
    stage.restore = None
    stage.note("补上对照行 | the row is added")


def replay(stage: Stage, step: Step) -> None:
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


def half(stage: Stage, step: Step) -> None:
    """Half of a file, still being written: nobody may take it."""
    play_ = stage.play_of(step)
    message = stage.message(step, play_)
    path, touched = half_written(stage.bench, message)
    stage.half = (message, path)
    stage.note(f"写了一半 | half written: {path.name}")
    if touched:
        raise Broken("没写完的文件被取走了 | a file was taken before it was complete")


def whole(stage: Stage, step: Step) -> None:
    """The rest of it, and the marker."""
    assert stage.half is not None  # the step before
    message, path = stage.half
    try:
        outcome = finished(stage.bench, message, path)
    except NotTaken as error:
        raise Broken(str(error)) from None
    stage.note(f"写完了 | complete: {path.name}", "", outcome)
    _judged(stage, step, outcome, "")


def burst(stage: Stage, step: Step) -> None:
    play_, bench = stage.play_of(step), stage.bench
    alarm = play_.reading.alarm
    cap = policy_of(bench.declared.alarms, alarm.kind).cap if alarm else 0
    if 0 < cap < step.number + stage.number:
        raise NoSuchThing(f"声明限 {cap} 案防告警风暴 | a storm of alarms is capped at {cap} cases")
    numbers = range(stage.number + 1, stage.number + 1 + step.number)
    messages = [bench.material.signer.signed(play_.fresh(one), bench.hub.now()) for one in numbers]
    wrong: Counter[str] = Counter()
    if play_.message.door in bench.material.doors:
        with ThreadPoolExecutor(_SENDERS) as senders:
            answers = [answered(one) for one in senders.map(bench.push, messages)]
        wrong = Counter(stage.veiled(one) for one in answers if not same(one, answers[0]))
        stage.note(f"{step.number} × {play_.name}", answers[0])
    elif fetched(bench, play_.message.door):
        many(bench, list(zip(messages, map(play_.fresh_ids, numbers), strict=True)))
        stage.note(f"{step.number} × {play_.name}")
    else:
        outcomes = [outcome for message in messages for outcome in bench.hand_in(message)]
        wrong = Counter(str(one.verdict) for one in outcomes if one.verdict not in step.verdict)
        stage.note(f"{step.number} × {play_.name}")
    if wrong:
        raise Broken(f"{wrong.total()} 件没有成功 | not taken: {wrong.most_common(1)[0][0]}")
