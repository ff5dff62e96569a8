"""`rules.yaml`: the rules of the trade of one city, each with the text it rests on."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from canonical.action import Completion, Supervision
from canonical.clock import Clock
from canonical.organisation import Level
from canonical.report import Urgency
from canonical.time import Limit, LimitUnit
from routing.steps import Steps, read_step
from routing.trade_rules import (
    Appeals,
    Closing,
    Extension,
    Loops,
    Returns,
    Rework,
    Rung,
    Suspension,
    TradeRules,
    Whistle,
)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LimitFile(_File):
    """So much time."""

    value: int = Field(ge=1, le=100_000, description="how many")
    unit: LimitUnit = Field(description="`minute`, `urgent_work_hour`, `work_hour`, `work_day`, `calendar_day`, ...")

    def limit(self) -> Limit:
        """The same as the hub counts it."""
        return Limit(value=self.value, unit=self.unit)


_SOURCE = "the text it rests on: document, number, clause; told with every refusal"


def _step(text: str) -> str:
    if read_step(text) is None:
        raise ValueError("a step is 50%, 80%, due, or how long after: +1 work_day, +2 urgent_work_hour")
    return text


StepName = Annotated[str, AfterValidator(_step)]


class StepsFile(_File):
    """At which steps of these clocks people are told."""

    clocks: list[Clock] = Field(min_length=1, description="names of clocks, such as `disposal`, `sign`, `file`")
    at: list[StepName] = Field(min_length=1, max_length=20, description="in order: `50%`, `80%`, `due`, `+1 work_day`")


class ExtensionFile(_File):
    """Extension 延期, asked for before the limit runs out."""

    approvals: list[str] = Field(
        default=["指挥中心"],
        description="who must agree, in order; the last one grants it. Empty: it is granted at once",
    )
    most: int | None = Field(default=None, ge=0, description="how often a case is extended; default: any number")
    original: int | None = Field(default=None, ge=1, description="at most so many original limits each time")
    longest: LimitFile | None = Field(default=None, description="at most so much each time")
    source: str = Field(min_length=1, description=_SOURCE)


class SuspensionFile(_File):
    """Suspension 挂账/缓办."""

    approvals: list[str] = Field(default=["指挥中心"], description="as of an extension")
    most: int | None = Field(default=None, ge=0, description="how often a case is suspended")
    longest: LimitFile | None = Field(default=None, description="how long at most, from its beginning")
    overdue: bool = Field(default=False, description="true: an overdue case may be suspended too")
    source: str = Field(min_length=1, description=_SOURCE)


class ReturnsFile(_File):
    """Return 退件."""

    within: LimitFile | None = Field(default=None, description="from the dispatch, by the unit's calendar")
    most: int | None = Field(default=None, ge=0, description="rounds; then the centre rules 裁定, and that binds")
    bases: dict[str, str] = Field(default={}, description="code to title of what a return may rest on")
    same_unit: int | None = Field(
        default=None, ge=1, description="returns of one unit after which only a ruling gives it the case again"
    )
    ping_pong: bool = Field(
        default=True, description="true: a case that went to and fro between two systems needs a ruling"
    )
    source: str = Field(min_length=1, description=_SOURCE)


class ReworkFile(_File):
    """Rework 返工."""

    gap: bool = Field(default=False, description="true: the time from the unit's answer to the rework does not count")
    source: str = Field(min_length=1, description=_SOURCE)


class AppealsFile(_File):
    """Appeal 申诉."""

    most: int | None = Field(default=None, ge=0, description="how many a case may have")
    within: LimitFile | None = Field(default=None, description="from the closing")
    only_overdue: bool = Field(default=False, description="true: only of a case that was overdue")
    source: str = Field(min_length=1, description=_SOURCE)


class WhistleFile(_File):
    """Joint work 吹哨联动."""

    completion: Completion = Field(
        default=Completion.ALL, description="when the lead may answer: `all`, `lead` or `quorum` (more than half)"
    )
    source: str = Field(min_length=1, description=_SOURCE)


class ClosingFile(_File):
    """Closing right 结案权 over the cases of one loop."""

    level: Level = Field(description="the loop that has the case: `community`, `street`, `district` or `city`")
    by: Level = Field(description="the lowest loop that may close it; who closes names his loop in `level`")
    on_the_spot: bool = Field(
        default=True, description="false: what was dealt with on the spot 自行处置 is not closed at once"
    )
    source: str = Field(min_length=1, description=_SOURCE)


class LoopsFile(_File):
    """The four loops 四级循环."""

    skip: list[Urgency] = Field(
        default=[Urgency.URGENT], description="`urgent`, `normal`: cases that may skip a level upwards. Empty: none"
    )
    closing: list[ClosingFile] = Field(default=[], description="who may close; a loop without a row closes; each:")
    source: str = Field(min_length=1, description=_SOURCE)


class RungFile(_File):
    """One rung of a ladder 逐级升级: what happens at a step of a clock."""

    clock: Clock = Field(description="which clock")
    step: StepName = Field(description="one of its steps")
    supervise: Supervision | None = Field(default=None, description="`ordinary`, `yellow` or `red` 督办")
    escalate: bool = Field(default=False, description="true: the unit above gets the case")
    notify: list[str] = Field(
        default=[], description="offices or posts, in words, that are told over the channels of `notify` in city.yaml"
    )
    source: str = Field(min_length=1, description=_SOURCE)


class RulesFile(_File):
    """`rules.yaml`."""

    edition: str = Field(min_length=1, description="name of this edition; every decision quotes it")
    steps: list[StepsFile] = Field(default=[], description="near-due and overdue steps 催办; each:")
    extension: ExtensionFile | None = Field(default=None, description="extension 延期")
    suspension: SuspensionFile | None = Field(default=None, description="suspension 挂账")
    returns: ReturnsFile | None = Field(default=None, description="return 退件")
    rework: ReworkFile | None = Field(default=None, description="rework 返工")
    appeals: AppealsFile | None = Field(default=None, description="appeal 申诉")
    whistle: WhistleFile | None = Field(default=None, description="joint work 吹哨联动")
    loops: LoopsFile | None = Field(default=None, description="four loops 四级循环: skipping a level, closing right")
    ladder: list[RungFile] = Field(default=[], description="automatic escalation 逐级升级; each:")


def trade_rules(file: RulesFile) -> TradeRules:
    """The rules as decisions use them. What contradicts itself, `gateway.rules_review` tells."""
    parts = {
        "extension": file.extension and Extension(
            approvals=tuple(file.extension.approvals), most=file.extension.most, source=file.extension.source,
            original=file.extension.original, longest=_limit(file.extension.longest),
        ),
        "suspension": file.suspension and Suspension(
            approvals=tuple(file.suspension.approvals), most=file.suspension.most, source=file.suspension.source,
            longest=_limit(file.suspension.longest), overdue=file.suspension.overdue,
        ),
        "returns": file.returns and Returns(
            within=_limit(file.returns.within), most=file.returns.most, bases=file.returns.bases,
            same_unit=file.returns.same_unit, ping_pong=file.returns.ping_pong, source=file.returns.source,
        ),
        "rework": file.rework and Rework(gap=file.rework.gap, source=file.rework.source),
        "appeals": file.appeals and Appeals(
            most=file.appeals.most, within=_limit(file.appeals.within), only_overdue=file.appeals.only_overdue,
            source=file.appeals.source,
        ),
        "whistle": file.whistle and Whistle(completion=file.whistle.completion, source=file.whistle.source),
        "loops": file.loops and Loops(
            skip=frozenset(file.loops.skip), source=file.loops.source,
            closing={
                row.level: Closing(by=row.by, on_the_spot=row.on_the_spot, source=row.source)
                for row in file.loops.closing
            },
        ),
    }  # fmt: skip
    ladder = tuple(Rung(**{**dict(rung), "notify": tuple(rung.notify)}) for rung in file.ladder)
    said = {key: part for key, part in parts.items() if part is not None}
    return TradeRules(edition=file.edition, steps=_steps(file.steps), ladder=ladder, **said)  # type: ignore[arg-type]


def _limit(file: LimitFile | None) -> Limit | None:
    return file.limit() if file else None


def _steps(said: Sequence[StepsFile]) -> Steps:
    return Steps({clock: tuple(filter(None, map(read_step, one.at))) for one in said for clock in one.clocks})
