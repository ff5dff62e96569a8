"""The report of a certification: JSON for machines, and one page for people that needs nothing from elsewhere."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from gateway.certify.page import PAGE
from gateway.certify.run import FAILED, NOT_APPLICABLE, PASSED, Result, grade
from gateway.certify.scenario import Tier
from gateway.certify.sending import rows

WORDS: Mapping[str, str] = {
    PASSED: "通过 passed", FAILED: "未通过 failed", NOT_APPLICABLE: "不适用 not applicable",
    "none": "未达级 none", "partial": "部分演练 partial",
    "bronze": "铜级 bronze", "silver": "银级 silver", "gold": "金级 gold",
}  # fmt: skip


CAPS = "核心场景未演练, 不得达到本级 | core and not played: its tier is out of reach"


def view(system: Mapping[str, str], results: Sequence[Result], at: datetime, *, whole: bool = True) -> dict[str, Any]:
    """Everything as JSON values. `system`: id, title, edition, other_side, digest. `whole`: the pack was not cut."""
    counts = {word: sum(one.result == word for one in results) for word in (PASSED, FAILED, NOT_APPLICABLE)}
    return {
        "system": dict(system), "at": at.isoformat(timespec="seconds"),
        "tier": str(grade(results) if whole else Tier.PARTIAL), "whole": whole,
        "counts": counts,
        "scenarios": [
            {
                "name": one.scenario.name, "title": one.scenario.title.model_dump(), "tier": str(one.scenario.tier),
                "result": one.result, "why": one.why, "seconds": one.seconds,
                "core": one.core, "caps": one.caps, "limit": one.limit, "exchanges": rows(one.exchanges),
                "books": one.books,
            }
            for one in results
        ],
    }  # fmt: skip


def write(folder: Path, told: Mapping[str, Any]) -> tuple[Path, Path]:
    """`certificate.json` and `certificate.html` in the folder, which is made when it is not there; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    data, page_file = folder / "certificate.json", folder / "certificate.html"
    data.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    page_file.write_text(page(told), encoding="utf-8")
    return data, page_file


def page(told: Mapping[str, Any]) -> str:
    """The page, whole: style inside, no script, no request."""
    system = told["system"]
    facts = {
        "title": escape(system["title"]), "id": escape(system["id"]), "edition": escape(system["edition"]),
        "digest": escape(system.get("digest", "")[:16] or "—"),
        "other_side": escape(system["other_side"]), "at": escape(told["at"]), "tier": told["tier"],
        "tier_words": WORDS[told["tier"]],
        "counts": " · ".join(f"{WORDS[word]} {count}" for word, count in told["counts"].items()),
        "look": _look(told["scenarios"]),
        "overview": "".join(_line(one) for one in told["scenarios"]),
        "details": "".join(_details(one) for one in told["scenarios"] if one["result"] != NOT_APPLICABLE),
    }  # fmt: skip
    return PAGE.substitute(facts)


def _look(scenarios: Sequence[Mapping[str, Any]]) -> str:
    """What keeps it from a higher tier, first of all: what failed, then what is core and was not played."""
    failed = [f'<a href="#{one["name"]}">{escape(one["title"]["zh"])}</a>: {escape(one["why"])}'
              for one in scenarios if one["result"] == FAILED]  # fmt: skip
    capped: dict[str, list[str]] = {}
    for one in scenarios:
        if one["caps"]:
            capped.setdefault(one["why"], []).append(one["title"]["zh"])
    left = [f"{escape('、'.join(names))}: {escape(why)}" for why, names in capped.items()]
    rows = [f'<li><b class="failed">{WORDS[FAILED]}</b> {line}' for line in failed]
    rows += [f'<li><b class="caps">未演练 not played</b> {line}' for line in left]
    return f'<ul class="look">{"".join(rows)}</ul>' if rows else ""


def _class(result: str) -> str:
    return result.replace(" ", "-")


def _line(one: Mapping[str, Any]) -> str:
    name = f'<a href="#{one["name"]}">{escape(one["title"]["zh"])}</a>'
    if one["result"] == NOT_APPLICABLE:
        name = escape(one["title"]["zh"])
    told = "".join(f"<small>{escape(note)}</small>" for note in (one["why"], one["limit"]) if note)
    told += f'<small><b class="caps">{CAPS}</b></small>' if one["caps"] else ""
    return (
        f"<tr><td>{WORDS[one['tier']]}<td>{name}<small>{escape(one['title']['en'])}</small>"
        f'<td><b class="{_class(one["result"])}">{WORDS[one["result"]]}</b>{told}'
        f'<td class="n">{one["seconds"]:.1f}</tr>\n'
    )


def _details(one: Mapping[str, Any]) -> str:
    steps = "".join(_exchange(number, each) for number, each in enumerate(one["exchanges"], 1))
    books = "，".join(f"{escape(name)} {count:+d}" for name, count in one["books"].items()) or "无变化 unchanged"
    why = f'<p class="failed">{escape(one["why"])}</p>' if one["why"] else ""
    return (
        f'<section id="{one["name"]}"><h3>{escape(one["title"]["zh"])} <small>{escape(one["title"]["en"])}</small> '
        f'<b class="{_class(one["result"])}">{WORDS[one["result"]]}</b></h3>{why}<ol>{steps}</ol>'
        f"<p>账目变化 what the books gained: {books}</p></section>\n"
    )


def _exchange(number: int, one: Mapping[str, str]) -> str:
    verdict = " ".join(filter(None, (one["verdict"], one["why"], one["text"])))
    short = "\n" not in one["sent"]
    sent = f"<p>{escape(one['sent'])}</p>" if short else f"<pre>{escape(one['sent'])}</pre>"
    answer = f"<h4>对方得到的回答 answered</h4><pre>{escape(one['answer'])}</pre>" if one["answer"] else ""
    journal = f"<p>交换记录 journal: <b>{escape(verdict)}</b></p>" if verdict else ""
    return f'<li id="step-{number}">{sent}{answer}{journal}</li>' if number else ""
