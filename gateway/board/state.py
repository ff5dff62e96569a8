"""The one word for how a system stands, and why: a table of rules over its card, the gravest first."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Card = Mapping[str, Any]
Words = Mapping[str, object]
OLD_DELIVERY = 900.0
"""Seconds after which something that goes by itself should have gone."""
MANY, HALF = 5, 0.5
"""So many messages of an hour, and this share of them failed: that is no accident."""
_VERY = 4
"""Times the age at which data are stale: a feed that is fetched and tells no trouble is silent then, not late."""


class State(StrEnum):
    """How a connected system stands, the gravest first."""

    STOPPED = "stopped"
    """People have stopped it."""
    FAILING = "failing"
    """It is tried, and it does not work."""
    NEVER = "never"
    """Nothing was ever heard of it, and it was never reached."""
    SILENT = "silent"
    """It should have been heard by now, and nothing tells why it was not."""
    LATE = "late"
    """It works, and something of it is late or waits for a person."""
    OK = "ok"


TITLES: Mapping[State, str] = {
    State.STOPPED: "已停", State.FAILING: "故障", State.NEVER: "从未联通", State.SILENT: "静默", State.LATE: "滞后",
    State.OK: "正常",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: `words` gives what the two texts are filled with, once for each time that the rule holds."""

    state: State
    words: Callable[[Card], Iterator[Words]]
    zh: str
    en: str


def _when(holds: Callable[[Card], object], *names: str) -> Callable[[Card], Iterator[Words]]:
    """Once where it holds, with these fields of the card."""

    def words(card: Card) -> Iterator[Words]:
        if holds(card):
            yield {name: card[name] for name in names}

    return words


def _off(card: Card) -> Iterator[Words]:
    return (one for one in card["switched_off"] if one["what"] != "retry")


def _troubles(card: Card) -> Iterator[Words]:
    return (one for one in card["flows"] if one["trouble"])


def _stale_flows(card: Card) -> Iterator[Words]:
    return (one for one in card["flows"] if one["stale"] and not one["trouble"])


def _breaks(card: Card) -> Iterator[Words]:
    if card["breakers"]:
        yield {"count": len(card["breakers"])}


def _failed(direction: str) -> Callable[[Card], Iterator[Words]]:
    def words(card: Card) -> Iterator[Words]:
        hour = card["rates"]["hour"]
        of = hour["received" if direction == "in" else "sent"]
        share = hour[f"{direction}_error_rate"]
        if of >= MANY and share is not None and share >= HALF:
            yield {"percent": round(share * 100), "of": of}

    return words


def _silent(card: Card) -> bool:
    """A feed with a rhythm that misses it by far; one without, when its time is over."""
    rhythm = any(one["every_seconds"] for one in card["flows"])
    return bool(card["stale"]) and (not rhythm or card["data_age_seconds"] > _VERY * card["stale_after_seconds"])


RULES: tuple[Rule, ...] = (
    Rule(State.STOPPED, _when(lambda card: card["paused"]), "配置中已暂停", "paused in systems.yaml"),
    Rule(State.STOPPED, _off, "{title}已停（{actor}）：{reason}", "{what} switched off by {actor}: {reason}"),
    Rule(
        State.FAILING, _when(lambda card: card["needs_worker"] and not card["workers"]), "没有工作进程在运行",
        "no worker process lives",
    ),
    Rule(State.FAILING, _troubles, "{name}：{trouble}", "{name}: {trouble}"),
    Rule(State.FAILING, _breaks, "{count} 个工作进程已熔断", "the breaker of {count} workers is not closed"),
    Rule(
        State.FAILING, _failed("out"), "近一小时发送失败 {percent}%（共 {of} 次）",
        "{percent} % of {of} attempts in the last hour failed",
    ),
    Rule(
        State.FAILING, _failed("in"), "近一小时来文拒收或隔离 {percent}%（共 {of} 件）",
        "{percent} % of {of} messages in the last hour were refused or quarantined",
    ),
    Rule(
        State.NEVER, _when(lambda card: not (card["heard_at"] or card["reached_at"] or card["data_at"])),
        "从未收到消息，也从未接通", "never heard, and never reached",
    ),
    Rule(
        State.SILENT, _when(_silent, "data_age_seconds"), "已 {data_age_seconds:.0f} 秒没有数据",
        "no data for {data_age_seconds:.0f} s",
    ),
    Rule(State.LATE, _stale_flows, "{name} 已滞后", "{name} is late"),
    Rule(
        State.LATE, _when(lambda card: card["oldest_seconds"] > OLD_DELIVERY, "oldest_seconds"),
        "最早一件待发已等 {oldest_seconds:.0f} 秒", "the oldest delivery has waited for {oldest_seconds:.0f} s",
    ),
    Rule(
        State.LATE, _when(lambda card: card["waits_for_a_person"], "waits_for_a_person"),
        "{waits_for_a_person} 件待人处理", "{waits_for_a_person} deliveries wait for a person",
    ),
    Rule(
        State.LATE, _when(lambda card: card["quarantined"], "quarantined"), "{quarantined} 件在隔离区",
        "{quarantined} messages in quarantine",
    ),
)  # fmt: skip


def judged(card: Card) -> dict[str, Any]:
    """`state`, its title, `reason` in both languages, and all `reasons` that hold."""
    reasons = [
        {"state": rule.state, "zh": rule.zh.format(**words), "en": rule.en.format(**words)}
        for rule in RULES
        for words in rule.words(card)
    ]
    first = reasons[0] if reasons else {"state": State.OK, "zh": "", "en": ""}
    return {
        "state": first["state"], "state_title": TITLES[State(first["state"])],
        "reason": {"zh": first["zh"], "en": first["en"]}, "reasons": reasons,
    }  # fmt: skip
