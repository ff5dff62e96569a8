"""The README of a pack: how to verify it, and what that proves. Chinese and English."""

from pathlib import Path

_PAGE = Path(__file__).with_name("pack-readme.md")


def readme(*, single: bool) -> str:
    """The page of a pack of one case, or of a figure."""
    names = ("案件", "one case", "case.json") if single else ("指标与其案件", "a figure and its cases", "cases.jsonl")
    page = _PAGE.read_text(encoding="utf-8")
    for word, name in zip(("{what}", "{what_en}", "{case}"), names, strict=True):
        page = page.replace(word, name)
    return page
