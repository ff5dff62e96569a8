"""What a check found wrong, in words that say where and what to do."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error stops start-up; a warning is shown and does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing wrong in one place of the configuration."""

    file: str
    line: int
    """1-based; 0 when the whole file is meant."""
    key: str
    text: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.severity}: {self.key + ': ' if self.key else ''}{self.text}"
