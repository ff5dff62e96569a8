"""`gridhub check`: everything wrong with a configuration folder, at once."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.shared import AsJson, emit, err, out


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @app.command()
    def check(
        folder: Annotated[Path | None, typer.Argument(help="Configuration folder; default: the one in use.")] = None,
        strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Check a city's configuration: every finding with file and line. 检查配置

        Looks at all tables, declarations, code tables and samples, and for gaps and conflicts in the responsibility
        list. Ends with 1 when there is an error.
        """
        import os
        from dataclasses import asdict

        from canonical.findings import Severity
        from gateway.configuration import read
        from gateway.settings import settings

        told = settings(folder)
        with err.status(f"checking {told.config}"):
            _, findings = read(told.config, os.environ, unset=Severity.WARNING)
        errors = [finding for finding in findings if finding.severity is Severity.ERROR]
        if as_json:
            rows = [asdict(finding) for finding in findings]
            emit({"folder": str(told.config), "errors": len(errors), "findings": rows})
        else:
            for finding in findings:
                out.print(
                    str(finding),
                    style="red" if finding.severity is Severity.ERROR else "yellow",
                    markup=False,
                    soft_wrap=True,
                )
            warnings = len(findings) - len(errors)
            out.print(f"{told.config}: {len(errors)} errors 错误, {warnings} warnings 警告", soft_wrap=True)
        if errors or (strict and findings):
            raise typer.Exit(1)
