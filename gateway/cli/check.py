"""`gridhub check`: everything wrong with a configuration folder, at once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.cells import cell_len

from gateway.cli.shared import AsJson, emit, err, out

if TYPE_CHECKING:
    from canonical.findings import Finding

_WIDTH = 80


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @app.command()
    def check(
        folder: Annotated[
            Path | None, typer.Argument(help="Configuration folder, or that of one system; default: the one in use.")
        ] = None,
        strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Check a city's configuration: every finding with file and line. 检查配置

        Looks at all tables, declarations, code tables and samples, and for gaps and conflicts in the responsibility
        list. Of one system's folder: declaration, contracts, code tables and samples. No network is reached. Ends with
        1 when there is an error.
        """
        from dataclasses import asdict

        from canonical.findings import Severity

        where, findings, until = _findings(folder)
        errors = [finding for finding in findings if finding.severity is Severity.ERROR]
        if as_json:
            rows = [asdict(finding) for finding in findings]
            emit({"folder": str(where), "errors": len(errors), "findings": rows, "calendar_until": until})
        else:
            for finding in findings:
                style = "red" if finding.severity is Severity.ERROR else "yellow"
                for line in told(finding):
                    out.print(line, style=style, markup=False, highlight=False, emoji=False, soft_wrap=True)
            if until is not None:
                ends = f"to the end of {until}" if until else "for no year"
                out.print(f"calendar 日历: {ends}; due times behind it are provisional 暂定", highlight=False)
            warnings = len(findings) - len(errors)
            out.print(f"{where}: {len(errors)} errors 错误, {warnings} warnings 警告", soft_wrap=True)
        if errors or (strict and findings):
            raise typer.Exit(1)


def told(finding: "Finding") -> list[str]:
    """One line where it fits into eighty columns; else the place, and what is wrong wrapped below it."""
    whole = str(finding)
    if cell_len(whole) <= _WIDTH:
        return [whole]
    place = whole.removesuffix(finding.text).rstrip()
    return [place, *(f"    {line}" for line in wrapped(finding.text, _WIDTH - 4))]


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most so many columns, Chinese counted double; a long word without a space is broken."""
    from rich.text import Text

    lines = [line.plain.rstrip() for part in text.splitlines() or [""] for line in Text(part).wrap(out, width)]
    return lines or [""]


def _findings(folder: Path | None) -> tuple[Path, list[Any], int | None]:
    """The folder that is meant, everything wrong with it, and the last year of its calendar: 0 none, None no calendar."""
    import os
    from dataclasses import replace

    import adapters
    from assessment.calendar import Calendar
    from canonical.findings import Severity
    from gateway.configuration import read
    from gateway.settings import settings
    from gateway.soap_review import soap_findings

    if folder and (folder / "system.yaml").is_file() and not (folder / "city.yaml").is_file():
        return folder, sorted([*adapters.check(folder.resolve()), *soap_findings(folder.resolve())]), None
    told = settings(folder)
    with err.status(f"checking {told.config}"):
        configuration, findings = read(told.config, os.environ, unset=Severity.WARNING)
        folders = {one.folder for one in configuration.systems.values()} if configuration else set()
        unfit = [
            replace(one, file=f"{system.name}/{one.file}")
            for system in sorted(folders)
            for one in soap_findings(system)
        ]
        calendar = configuration.city.calendar if configuration else None
        years = calendar.published_years if isinstance(calendar, Calendar) else None
        until = None if years is None else max(years, default=0)
        return told.config, [*findings, *unfit], until
