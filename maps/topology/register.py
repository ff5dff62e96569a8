"""Cells as a list: do codes, names and sizes agree with each other and with what is prescribed?

Codes of unit grids: GB/T 30428.1, 15 digits: the community's twelve, and a number within it.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from maps.topology.flaw import FlawKind
from maps.topology.given import TopologyCell
from maps.topology.ground import Ground
from maps.topology.tray import Told, Tray

_CODE = re.compile(r"\d{15}", re.ASCII)
_COMMUNITY = 12
_FEWEST, _AGREEING = 3, 2 / 3
"""Numbered names that a community must have, and the share of them that must be their code's last three digits, before
the others are thought wrong: a community may number its grids in another way."""
_NAMED = 8
_NUMBER = re.compile(r"第?\s*([0-9]{1,3}|[零〇一二三四五六七八九十百两]{1,7})\s*[号#]?\s*(?:基础|综合|专属|单元)?网格")
_AFTER = re.compile(r"网格\s*([0-9]{1,3})")
_DIGITS = {letter: value for value, letter in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}


def find_wrong_codes(ground: Ground, cells: Sequence[TopologyCell], tray: Tray) -> None:
    """Codes that several cells have, and of unit grids those without 15 digits."""
    many = {code: count for code, count in Counter(cell.code for cell in cells).items() if count > 1}
    _each(tray, ground, FlawKind.CODE_REPEATED, [
        ((code,), f"{code or 'the empty code'} is the code of {count} cells", f"{code or '空编码'} 用于 {count} 个网格")
        for code, count in sorted(many.items())
    ])  # fmt: skip
    if tray.rules.coded:
        _each(tray, ground, FlawKind.CODE_FORM, [
            ((cell.code,), f"code '{cell.code[:40]}' is not 15 digits", f"编码“{cell.code[:40]}”不是 15 位数字")
            for cell in cells if not _CODE.fullmatch(cell.code)
        ])  # fmt: skip


def find_wrong_names(ground: Ground, cells: Sequence[TopologyCell], tray: Tray) -> None:
    """Missing names; of unit grids those that a community has twice, or with another number than the code."""
    _each(tray, ground, FlawKind.NAME_MISSING, [
        ((cell.code,), f"{cell.code} has no name", f"{cell.code} 没有名称") for cell in cells if not _plain(cell.name)
    ])  # fmt: skip
    if not tray.rules.coded:
        return
    for community, members in _communities(cells).items():
        _find_repeated_names(ground, community, members, tray)
        _find_numbers(ground, members, tray)
        _find_left_out(ground, community, members, tray)


def find_wrong_sizes(ground: Ground, cells: Sequence[TopologyCell], tray: Tray) -> None:
    """Base grids with too few or too many households and people; and, as one flaw, those of which nothing is known."""
    if not tray.rules.coded:
        return
    rules = tray.rules
    people = [cell for cell in cells if rules.apart not in cell.name]
    unknown = [cell.code for cell in people if cell.households is None and cell.population is None]
    tray.add_one(FlawKind.NO_FIGURES, len(unknown), Told(
        tuple(unknown[:_NAMED]), None, f"{len(unknown):,} of {len(cells):,} cells have neither households nor people",
        f"{len(cells):,} 个网格中有 {len(unknown):,} 个没有户数和人口",
    ))  # fmt: skip
    found = [
        ((cell.code,), f"{cell.code} has {_people(cell)}", f"{cell.code}：{_people_chinese(cell)}")
        for cell in people
        if (cell.households, cell.population) != (None, None)
        and not _within(cell.households, rules.households) and not _within(cell.population, rules.population)
    ]  # fmt: skip
    _each(tray, ground, FlawKind.PEOPLE, found)


def number_of(name: str) -> int | None:
    """The number in a cell's name, as 12 in 第十二网格 and 第12网格; None where there is none."""
    plain = _plain(name)
    found = _NUMBER.search(plain) or _AFTER.search(plain)
    return _value(found[1]) if found else None


def _find_repeated_names(ground: Ground, community: str, members: Sequence[TopologyCell], tray: Tray) -> None:
    by_name: dict[str, list[str]] = defaultdict(list)
    for cell in members:
        by_name[_plain(cell.name)].append(cell.code)
    _each(tray, ground, FlawKind.NAME_REPEATED, [
        (tuple(codes[:_NAMED]), f"{community} has {len(codes)} cells called {name}: {', '.join(codes[:3])}",
         f"{community} 有 {len(codes)} 个网格名为“{name}”：{'、'.join(codes[:3])}")
        for name, codes in by_name.items() if name and len(codes) > 1
    ])  # fmt: skip


def _find_numbers(ground: Ground, members: Sequence[TopologyCell], tray: Tray) -> None:
    told = [(cell, number) for cell in members if (number := number_of(cell.name)) is not None]
    other = [(cell, number) for cell, number in told if number != int(cell.code[_COMMUNITY:])]
    if len(told) < _FEWEST or len(told) - len(other) < _AGREEING * len(told):
        return
    _each(tray, ground, FlawKind.NAME_NUMBER, [
        ((cell.code,), f"{cell.code} is called {cell.name}: number {number}, not {int(cell.code[_COMMUNITY:])}",
         f"{cell.code} 名为“{cell.name}”，序号 {number} 与编码末三位不同")
        for cell, number in other
    ])  # fmt: skip


def _find_left_out(ground: Ground, community: str, members: Sequence[TopologyCell], tray: Tray) -> None:
    used = {int(cell.code[_COMMUNITY:]) for cell in members}
    left_out = sorted(set(range(1, max(used) + 1)) - used)
    if left_out:
        first = ", ".join(f"{number:03d}" for number in left_out[:_NAMED]) + (" ..." if len(left_out) > _NAMED else "")
        text = f"{community} leaves out {len(left_out)} of {max(used)} numbers: {first}"
        chinese = f"{community} 序号至 {max(used)}，缺 {len(left_out)} 个：{first}"
        tray.add_one(FlawKind.SEQUENCE, 1, Told((members[0].code,), None, text, chinese))


def _communities(cells: Iterable[TopologyCell]) -> dict[str, list[TopologyCell]]:
    found: dict[str, list[TopologyCell]] = defaultdict(list)
    for cell in cells:
        if _CODE.fullmatch(cell.code):
            found[cell.code[:_COMMUNITY]].append(cell)
    return found


def _each(
    tray: Tray, ground: Ground, kind: FlawKind, found: Sequence[tuple[tuple[str, ...], str, str]]
) -> None:  # fmt: skip
    """Flaws of cells that are nothing of the ground: shown where the first of the cells lies."""

    def tell(at: int) -> Told:
        codes, text, chinese = found[at]
        return Told(codes, ground.shape_of(codes[0]), text, chinese)

    tray.add(kind, [0.0] * len(found), tell)


def _plain(name: str) -> str:
    """Without spaces around it, and full-width digits as others."""
    return unicodedata.normalize("NFKC", name).strip()


def _value(text: str) -> int | None:
    """12 for 十二 and for 12; digits without ten and hundred are read one by one: 一二 is 12."""
    if text.isdigit():
        return int(text)
    if not set(text) & {"十", "百"}:
        return int("".join(str(_DIGITS[letter]) for letter in text))
    total, digit = 0, None
    for letter in text:
        if letter in _DIGITS:
            digit = _DIGITS[letter]
        else:
            total, digit = total + (1 if digit is None else digit) * (10 if letter == "十" else 100), None
    return total + (digit or 0)


def _within(value: int | None, limits: tuple[int, int]) -> bool:
    return value is not None and limits[0] <= value <= limits[1]


def _people(cell: TopologyCell) -> str:
    known = ((cell.households, "households"), (cell.population, "people"))
    return " and ".join(f"{value:,} {what}" for value, what in known if value is not None)


def _people_chinese(cell: TopologyCell) -> str:
    known = ((cell.households, "户"), (cell.population, "人"))
    return "，".join(f"{value:,} {what}" for value, what in known if value is not None)
