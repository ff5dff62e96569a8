"""What is agreed with another office about one exchange table (前置库)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["flag", "sequence", "reload"]


@dataclass(frozen=True, slots=True)
class Table:
    """What is agreed about a table. Names match without regard to case; rows use the spelling declared here."""

    name: str
    """`table`, `view` or `schema.table`."""
    key: tuple[str, ...]
    """Columns that identify a row."""
    mode: Mode
    columns: tuple[str, ...] = ()
    """Columns that must be there, and the only ones read beside those named elsewhere. None: read all there are."""
    flag: str = ""
    """Flag mode: the status column."""
    new: tuple[str, ...] = ()
    """Its values that mean "not taken yet"; the empty one is NULL as well."""
    claimed: str = ""
    """Its value while we work on the row. None: a row is marked only when it is durable with us."""
    taken: str = ""
    failed: str = ""
    """After a rejection; `taken` when not given."""
    note: str = ""
    """Column for the reason of a rejection, cut to the column's length."""
    taken_at: str = ""
    """Column for the time of taking."""
    sequence: str = ""
    """Sequence mode: the watermark column (number, time or text). Flag mode: read in this order."""
    overlap: float = 0
    """Sequence mode: how far to look back each pass, for late commits and clocks that jump; seconds or units."""
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Only rows with one of these values in each of these columns; the empty one is NULL as well."""
    gone: Mapping[str, str] = field(default_factory=dict)
    """Reload mode: what a row says, beside its key, that is no longer there. None: nothing is said."""
    gone_after: float = 0
    """Seconds it must have been missing."""

    @property
    def named(self) -> tuple[str, ...]:
        """Every column this declaration needs, each once."""
        single = (self.flag, self.note, self.taken_at, self.sequence)
        return tuple(dict.fromkeys(one for one in (*self.key, *self.columns, *single, *self.where) if one))

    @property
    def order(self) -> tuple[str, ...]:
        """The columns rows are read in the order of."""
        first = (self.sequence,) if self.sequence and self.mode != "reload" else ()
        return tuple(dict.fromkeys((*first, *self.key)))

    def findings(self) -> list[str]:
        """What is contradictory or missing in it."""
        flagged = self.mode == "flag"
        rules = (
            (not self.name, "a table needs its name"),
            (not self.key, "key: the columns that identify a row are missing"),
            (self.mode not in {"flag", "sequence", "reload"}, "mode is one of flag, sequence, reload"),
            (flagged and not (self.flag and self.new), "flag mode needs `flag` and the values that are `new`"),
            (flagged and self.taken in self.new, "`taken` must differ from the values that are `new`"),
            (flagged and self.failed in self.new and self.failed != "", "`failed` must differ from the `new` values"),
            (flagged and self.claimed != "" and self.claimed in {*self.new, self.taken, self.failed},
             "`claimed` must differ from every other value of the flag"),
            (self.mode == "sequence" and not self.sequence, "sequence mode needs `sequence`"),
            (self.overlap < 0, "`overlap` looks back: it is not negative"),
        )  # fmt: skip
        return [f"table {self.name}: {text}" for broken, text in rules if broken]
