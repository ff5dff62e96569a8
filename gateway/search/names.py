"""What the city calls its divisions, grids, classes and units: a word of a name finds the cases that have the code."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from gateway.search.folded import folded
from gateway.search.terms import Kind
from routing.city import City

MOST_GRIDS = 1000
"""Grids that one word may name; a word that names more says nothing of where, such as 网格."""
Code = tuple[Kind, str]


@dataclass(frozen=True, slots=True)
class Names:
    """Codes and names as they are today."""

    titles: Mapping[Code, str]
    _folded: Mapping[Code, str]

    def codes(self, word: str) -> frozenset[Code]:
        """What a folded word names, or is the code of; of a class the beginning is enough."""
        found = {code for code, name in self._folded.items() if word in name or self._is(word, code)}
        grids = {code for code in found if code[0] is Kind.GRID}
        return frozenset(found if len(grids) <= MOST_GRIDS else found - grids)

    @staticmethod
    def _is(word: str, code: Code) -> bool:
        kind, value = code
        if kind is Kind.CLASS:
            written = folded(value)
            return written.startswith(word) or written.rpartition(":")[2].startswith(word)
        return folded(value) == word


def names(city: City, day: date) -> Names:
    """Of this city; grids as they hold on that day."""
    titles = dict(_titles(city, day))
    return Names(titles, {code: folded(name) for code, name in titles.items()})


def _titles(city: City, day: date) -> Iterator[tuple[Code, str]]:
    for division in city.divisions.by_code.values():
        yield (Kind.AREA, division.code), division.name
    for one in city.locator.registry.on(day):
        yield from (((Kind.GRID, code), cell.name) for code, cell in one.index.cells.items())
    for known in city.catalogue.classes.values():
        yield (Kind.CLASS, str(known.code)), known.name
    for unit in city.responsibility.units.values():
        yield (Kind.UNIT, unit.id), f"{unit.name} {unit.former_name}".strip()
