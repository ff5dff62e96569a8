"""Playing the pack: each scenario on the bench, step by step, until something does not hold."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from canonical.errors import HubError
from gateway.certify.bench import OVER_HTTP, Bench, until
from gateway.certify.change import CannotChange, NoSuchThing
from gateway.certify.scenario import Need, Scenario, Shape, Tier
from gateway.certify.sending import Exchange, veiled
from gateway.certify.stage import Broken, Stage
from gateway.certify.step import play
from gateway.stub_answer import stored_answers

PASSED, FAILED, NOT_APPLICABLE = "passed", "failed", "not applicable"
_SETTLING = 15.0
"""Seconds at most for what a scenario still has on its way, so that the next one begins in quiet."""
_ORDER = (Tier.BRONZE, Tier.SILVER, Tier.GOLD)


@dataclass(frozen=True, slots=True)
class Result:
    """How one scenario ended, and its evidence."""

    scenario: Scenario
    result: str
    why: str
    """What did not hold, or what is missing; empty when passed."""
    seconds: float
    exchanges: list[Exchange] = field(default_factory=list)
    books: dict[str, int] = field(default_factory=dict)
    """What the books gained: reports by verdict, cases, messages."""
    core: bool = False
    """Whether the platform is of a shape for which the scenario must be played."""
    cannot: bool = False
    """Not applicable because the bench cannot play it; else the platform has nothing of the kind."""
    limit: str = ""
    """What could not be looked at although it passed."""

    @property
    def caps(self) -> bool:
        """Whether its tier is out of reach because it was not played."""
        return self.core and self.cannot


def certify(
    folder: Path, scenarios: Sequence[Scenario], *, url: str = "", simulator: bool = True, everything: bool = True,
    account: Mapping[str, str] | None = None, database_url: str = "",
    told: Callable[[Scenario, Result | None], None] = lambda _scenario, _result: None,
) -> list[Result]:  # fmt: skip
    """Every scenario's result, in order. `url`: a live platform instead of a simulated one; `everything`: also what
    leaves something behind there; `account`: our secrets there. `database_url`: an empty database with the newest
    schema instead of a server of the bench's own. `told` is called before and after each.

    Raises BenchFailed, Misconfigured.
    """
    results, number = [], 1
    with Bench(folder, url=url, simulator=simulator, account=account, database_url=database_url) as bench:
        for scenario in scenarios:
            told(scenario, None)
            result = _ended(bench, scenario, number=number, everything=everything)
            number += sum(step.number + 1 for step in scenario.steps)
            told(scenario, result)
            results.append(result)
    return results


def grade(results: Iterable[Result]) -> Tier:
    """The highest tier with nothing failed in it and below, nothing core left unplayed by the bench, and one of its own
    passed that counts alone. Bronze is about reports: where none of it is core, the tiers above say whether it works.
    """
    found, reached = list(results), Tier.NONE
    for tier in _ORDER:
        own = [one for one in found if one.scenario.tier is tier]
        if any(one.result == FAILED or one.caps for one in own):
            break
        if not any(one.result == PASSED and one.scenario.alone for one in own):
            if tier is Tier.BRONZE and not any(one.core for one in own):
                continue
            break
        reached = tier
    return reached


def clean(results: Sequence[Result]) -> bool:
    """Whether something passed and nothing failed: all that can be said of a part of the pack."""
    ended = {one.result for one in results}
    return PASSED in ended and FAILED not in ended


def reaches(reached: Tier, wanted: Tier) -> bool:
    """Whether a tier is the wanted one or higher."""
    if reached is Tier.PARTIAL:
        return False
    order = (Tier.NONE, *_ORDER)
    return order.index(reached) >= order.index(wanted)


def _ended(bench: Bench, scenario: Scenario, *, number: int, everything: bool) -> Result:
    """How it ended; what nobody foresaw ends this scenario, not the others."""
    try:
        return _played(bench, scenario, number=number, everything=everything)
    except Exception as error:  # noqa: BLE001 whatever a folder brings about, the report must be written
        secrets = bench.secrets.values()
        why = veiled(f"{type(error).__name__}: {error}", bench.material.names, secrets)
        return Result(scenario, FAILED, f"演练台自己出错, 请报告 | a defect of the bench, please report it: {why}", 0.0)


def _played(bench: Bench, scenario: Scenario, *, number: int, everything: bool) -> Result:
    began = time.monotonic()
    core = any(_SHAPES[shape](bench) for shape in scenario.core)
    if missing := _missing(bench, scenario, everything=everything):
        return Result(
            scenario, NOT_APPLICABLE, str(missing), 0.0, core=core, cannot=not isinstance(missing, NoSuchThing)
        )
    stage = Stage(bench, number)
    before, result, why, cannot = bench.books(), PASSED, "", False
    try:
        for position, step in enumerate(scenario.steps, 1):
            try:
                play(stage, step)
            except Broken as error:
                raise Broken(
                    f"第 {position} 步 step {position} ({' '.join(filter(None, (step.do, step.change)))}): {error}"
                ) from None
        _honest(bench)
    except CannotChange as error:
        result, why, cannot = NOT_APPLICABLE, str(error), not isinstance(error, NoSuchThing)
    except (Broken, HubError) as error:
        result, why = FAILED, stage.veiled(str(error))
    finally:
        stage.end()
    if bench.other_url:  # else what it is told waits for ever
        until(lambda: not bench.books()["messages"]["waiting"], _SETTLING)
    gained = _gained(before, bench.books())
    seconds, limit = round(time.monotonic() - began, 1), stage.limit if result == PASSED else ""
    return Result(scenario, result, why, seconds, stage.exchanges, gained, core=core, cannot=cannot, limit=limit)


def _honest(bench: Bench) -> None:
    """After every scenario: the books add up, and the hub logged no defect."""
    balance = bench.books()["balance"]
    if not balance["holds"]:
        wrong = ", ".join(name for name, holds in balance["equations"].items() if not holds)
        raise Broken(f"账不平 the books do not balance: {wrong}")
    if defects := bench.defects():
        raise Broken(f"枢纽有缺陷 the hub met a defect: {defects}")


def _gained(before: dict[str, dict[str, int]], after: dict[str, dict[str, int]]) -> dict[str, int]:
    rows = {
        f"{part}.{name}": after[part][name] - before[part][name]
        for part in ("reports", "cases", "messages") for name in after[part]
    }  # fmt: skip
    return {name: count for name, count in rows.items() if count}


def _missing(bench: Bench, scenario: Scenario, *, everything: bool) -> CannotChange | None:
    """Why the scenario cannot be played for this platform; None when it can."""
    if bench.live and not scenario.live and not everything:
        return CannotChange("会在对方环境留下记录, 需 --all | it leaves something behind in the live platform: --all")
    if lacks := _lacks(bench, scenario) or _untold(bench, scenario):
        return lacks
    missing = next((need for need in scenario.needs if not _HAS[need](bench)), None)
    if missing is Need.OTHER_SIDE and bench.unreached:
        return CannotChange("对端没有应答, 见 reached | the platform was not reached, see there")
    if missing:
        return (NoSuchThing if missing is Need.STUB else CannotChange)(_REASONS[missing])
    if any(step.do == "emit" for step in scenario.steps) and not bench.simulated and not _reports(bench):
        return CannotChange(_REASONS[Need.REPORT])
    return _made_up(bench, scenario)


def _made_up(bench: Bench, scenario: Scenario) -> CannotChange | None:
    """Gold needs answers of the platform's own: those made of the folder's judge agree with it, right or wrong."""
    sides = {Shape.HANDED, Shape.TOLD, Shape.BOTH} & set(scenario.core)
    if bench.side is None or scenario.tier is not Tier.GOLD or not sides:
        return None
    said = {message for _, message in stored_answers(bench.given, bench.material.system)}
    parties = ("owner", "both") if Shape.HANDED in sides else ("source", "both")
    wanted = scenario.source_told or ("dispatch",)
    told = [name for party in parties for action, name in bench.material.tells(party).items() if action in wanted]
    missing = next((name for name in told if name not in said), "")
    if not missing:
        return None
    return CannotChange(
        f"回执是由声明推出的, 证明不了判得对: 请放一份真实的回执 samples/{missing}.answer.json | "
        f"its answers were made of the folder's own rows, which proves nothing: put one of the platform's at "
        f"samples/{missing}.answer.json"
    )


def _lacks(bench: Bench, scenario: Scenario) -> CannotChange | None:
    """What is not this platform's to do, so that nobody could play it."""
    for need in scenario.needs:
        if need in _OWN and not _OWN[need](bench):
            return NoSuchThing(_REASONS[need])
    undone = [action for action in scenario.owner_does if action not in bench.material.owner_does]
    return NoSuchThing(f"平台不回报这一步 | the platform reports no such step: {undone[0]}") if undone else None


def _untold(bench: Bench, scenario: Scenario) -> CannotChange | None:
    told, wanted = bench.material.tells("source"), scenario.source_told
    untold = [action for action in wanted if action not in told]
    if not untold or (scenario.told_any and len(untold) < len(wanted)):
        return None
    # Told of nothing that the bench does: it cannot play what the declaration says.
    kind = CannotChange if scenario.told_any and (told or bench.material.tells("both")) else NoSuchThing
    return kind(f"声明不告知来源这一步 | the declaration does not tell the source: {', '.join(untold)}")


def _reports(bench: Bench) -> bool:
    return bench.material.report is not None and bool(bench.material.report.ids)


def _through_a_door(bench: Bench) -> bool:
    report = bench.material.report
    return report is not None and report.message.door in bench.material.doors


def _source(bench: Bench) -> bool:
    return "source" in bench.declared.roles


def _listed(bench: Bench) -> bool:
    report = bench.material.report
    return report is not None and report.message.door in bench.pulls


def _live(bench: Bench) -> bool:
    return bool(bench.live) and bench.declared.connector.protocol in OVER_HTTP


def _dropped(bench: Bench) -> bool:
    report = bench.material.report
    found = bench.declared.receivers.get(report.message.door) if report else None
    return found is not None and found.files is not None


def _both(bench: Bench) -> bool:
    return "dispatch" in bench.material.tells("both")


def _handed(bench: Bench) -> bool:
    return bool(bench.material.tells("owner"))


_SHAPES: dict[Shape, Callable[[Bench], bool]] = {
    Shape.SOURCE: _source,
    Shape.DOOR: lambda bench: _source(bench) and bool(bench.material.doors),
    Shape.TOLD: lambda bench: bool(bench.material.tells("source") or bench.material.tells("both")),
    Shape.HANDED: _handed,
    Shape.BOTH: _both,
    Shape.LISTED: lambda bench: _listed(bench) and bench.side is not None,
    Shape.DROPPED: _dropped,
    Shape.LIVE: _live,
}
_HAS: dict[Need, Callable[[Bench], bool]] = {
    Need.REPORT: _reports,
    Need.ACTION: lambda bench: bench.material.action is not None,
    Need.DOOR: _through_a_door,
    Need.OWNER: lambda bench: "dispatch" in bench.material.tells("owner"),
    Need.SOURCE: _source,
    Need.LISTED: lambda bench: _listed(bench) and bench.side is not None,
    Need.DROPPED: lambda bench: _dropped(bench) and bench.exchange is not None,
    Need.SIGNS_IN: lambda bench: bench.declared.sign_in is not None,
    Need.BOTH: _both,
    Need.SIMULATOR: lambda bench: bench.simulated or bench.played,
    Need.OTHER_SIDE: lambda bench: bool(bench.other_url) and not bench.unreached,
    Need.STUB: lambda bench: bench.side is not None,
    Need.LIVE: _live,
}
_OWN: dict[Need, Callable[[Bench], bool]] = {
    Need.ACTION: lambda bench: bench.material.report is None or bench.material.action is not None,
    Need.DOOR: lambda bench: bench.material.report is None or _through_a_door(bench),
    Need.OWNER: _handed,
    Need.SOURCE: _source,
    Need.LIVE: _live,
    Need.LISTED: _listed,
    Need.DROPPED: _dropped,
    Need.SIGNS_IN: lambda bench: bench.declared.sign_in is not None,
    Need.BOTH: _both,
}
"""What the platform itself must have; without it there is nothing to play. All other needs are the bench's."""
_REASONS: dict[Need, str] = {
    Need.REPORT: "没有能成案且可换新编号的样例 | no sample opens a case and can be given ids of its own",
    Need.ACTION: "没有来源方的后续动作样例 | no sample holds an action of the source",
    Need.DOOR: "平台不经 HTTP 推送上报 | the platform pushes no reports over HTTP",
    Need.OWNER: "平台不承接派遣 | the platform is handed no cases",
    Need.SOURCE: "平台不是来源 | the platform is no source",
    Need.SIMULATOR: "没有它的模拟平台 | there is no simulated platform of it",
    Need.LISTED: "所报的不是枢纽问来的 | what it reports is not asked for by the hub",
    Need.DROPPED: "所报的不是投放的文件 | what it reports does not come as files",
    Need.SIGNS_IN: "不用登录 | nobody has to sign in",
    Need.LIVE: "没给 --url | no --url was given",
    Need.STUB: "对端不由演练台扮演 | the other side is not played by the bench",
    Need.BOTH: "自报的案件不派回给它 | what it reported is not handed back to it",
    Need.OTHER_SIDE: "没有对端: 无模拟平台也没给 --url | no other side: no simulated platform, and no --url",
}
