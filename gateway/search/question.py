"""What somebody typed into the box, and every way in which a case can be meant by it.

Each way says what the index is asked, and looks at a case itself: whether it fits, and why.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.masking import masked_phone
from gateway.refusal import Refusal
from gateway.search import terms
from gateway.search.folded import around, bigrams, folded, with_origin
from gateway.search.names import Code, Names
from gateway.search.telephone import digits, forms, same
from gateway.search.terms import LEAST_NUMBER, Kind, telephone_term, term
from storage.search import AnyOf
from storage.search_index import Entry

Reason = Mapping[str, Any]
LEAST_WORD = 2
"""Characters of the shortest word that is looked for."""


class Step(StrEnum):
    """The ways in their order: what is found by an earlier one stands before what a later one finds."""

    EXACT = "exact"
    """It is a number of the case."""
    PIECE = "piece"
    """A number of the case begins or ends with it."""
    TELEPHONE = "telephone"
    """It is the reporter's telephone."""
    WORDS = "words"
    """Each of its words stands in a text, or names the place, class or unit."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word, folded, and what it is the name or the code of."""

    text: str
    codes: frozenset[Code]

    @property
    def asked(self) -> AnyOf | None:
        """What the index is asked; None: nothing that it has."""
        together = frozenset(term(Kind.PAIR, pair) for pair in bigrams(self.text))
        single = frozenset(term(*code) for code in self.codes)
        return AnyOf(together, single) if together or single else None

    def why(self, texts: Mapping[str, str], codes: Mapping[Code, str]) -> list[Reason]:
        """Where it stands. `codes`: of the case, with their names."""
        found: list[Reason] = []
        for field, text in texts.items():
            if where := with_origin(text).find(self.text):
                found.append({"field": field, "around": around(text, where), "text": text[slice(*where)]})
        found += [
            {"field": kind, "code": code, "name": name}
            for (kind, code), name in codes.items()
            if (kind, code) in self.codes
        ]
        return found


@dataclass(frozen=True, slots=True)
class Question:
    """What was typed."""

    text: str
    words: tuple[Word, ...]
    names: Names
    key: bytes

    @property
    def number(self) -> str:
        """Folded, where it can be a piece of a number; else empty."""
        piece = folded(self.text)
        fits = len(piece) >= LEAST_NUMBER and not any(map(str.isspace, piece)) and any(map(str.isdecimal, piece))
        return piece if fits else ""

    @property
    def telephone(self) -> str:
        """Its digits, where it is a whole telephone number; else empty."""
        return digits(folded(self.text))

    @property
    def steps(self) -> list[Step]:
        """The ways there are."""
        there = {
            Step.EXACT: True, Step.PIECE: bool(self.number), Step.TELEPHONE: bool(self.telephone),
            Step.WORDS: bool(self.asked(Step.WORDS)),
        }  # fmt: skip
        return [step for step in Step if there[step]]

    def asked(self, step: Step) -> list[AnyOf]:
        """What the index is asked on this way."""
        if step is Step.PIECE:
            return [AnyOf(single=frozenset(terms.pieces(self.number)))]
        if step is Step.TELEPHONE:
            return [AnyOf(single=frozenset(telephone_term(self.key, form) for form in forms(self.telephone)))]
        return [asked for word in self.words if (asked := word.asked)]

    def why(self, step: Step, entry: Entry) -> list[Reason]:
        """Why the case is found on this way; nothing: it is not."""
        return _WHY[step](self, entry)

    def _exact(self, entry: Entry) -> list[Reason]:
        given = {self.text, self.text.partition("-")[0]} if self.text.startswith(entry.case.no) else {self.text}
        return [_number(number, of) for number, of in terms.numbers(entry).items() if number in given]

    def _piece(self, entry: Entry) -> list[Reason]:
        piece = self.number
        return [
            _number(number, of)
            for number, of in terms.numbers(entry).items()
            if folded(number).startswith(piece) or folded(number).endswith(piece)
        ]

    def _telephone(self, entry: Entry) -> list[Reason]:
        return [
            {"field": Step.TELEPHONE, "value": masked_phone(given)}
            for given in sorted(terms.telephones(entry))
            if same(self.telephone, given)
        ]

    def _words(self, entry: Entry) -> list[Reason]:
        texts = terms.texts(entry.case)
        codes = {code: self.names.titles.get(code, "") for code in terms.codes(entry.case)}
        reasons = [word.why(texts, codes) for word in self.words]
        return [one for some in reasons for one in some] if all(reasons) else []


_WHY = {
    Step.EXACT: Question._exact, Step.PIECE: Question._piece, Step.TELEPHONE: Question._telephone,
    Step.WORDS: Question._words,
}  # fmt: skip


def question(text: str, names: Names, key: bytes) -> Question:
    """What a text asks. Raises Refusal when it is too short to be looked for."""
    typed = text.strip()
    if len(typed) < LEAST_WORD:
        hint = "a number, a telephone of the reporter, a place, a word of two characters or more"
        raise Refusal(422, "too_short", f"q: {LEAST_WORD} characters at least", hint)
    found = folded(typed).split()
    words = (Word(word, names.codes(word) if len(word) >= LEAST_WORD else frozenset()) for word in found)
    return Question(typed, tuple(words), names, key)


def _number(number: str, systems: set[str]) -> Reason:
    return {"field": "number", "value": number, "systems": sorted(systems - {""})}
