"""`gridhub certify`: a platform played through the scenario pack, and graded."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.shared import AsJson, emit, err, out

if TYPE_CHECKING:
    from gateway.certify.run import Result
    from gateway.certify.scenario import Scenario, Tier


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @app.command()
    def certify(
        system: Annotated[str, typer.Argument(help="A shipped adapter or a folder with a system.yaml.")],
        url: Annotated[str, typer.Option(help="A live test environment instead of the simulated platform.")] = "",
        simulator: Annotated[
            bool, typer.Option("--simulator/--no-simulator", help="Start the simulated platform, where there is one.")
        ] = True,
        scenarios: Annotated[str, typer.Option(help="Only these, by name, with commas between; default: all.")] = "",
        tier: Annotated[str, typer.Option(help="Tier that must be reached: bronze, silver or gold.")] = "bronze",
        report: Annotated[
            Path | None, typer.Option("--out", help="Write certificate.json and certificate.html into this folder.")
        ] = None,
        everything: Annotated[
            bool, typer.Option("--all", help="Live: also what leaves something behind in the other side's environment.")
        ] = False,
        verify: Annotated[
            Path | None, typer.Option(help="Play nothing: is this certificate.json of the folder as it stands?")
        ] = None,
        yes: Annotated[bool, typer.Option("--yes", help="Live: do not ask.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Play a platform through the scenario pack and grade it: bronze, silver or gold. 互联认证

        A private hub with a temporary database is started; the platform's side is played from its own samples and by
        its simulator. Nothing of a real city is touched. Ends with 0 when the wanted tier is reached, 1 when it is not
        (or the certificate to verify is of another folder), 2 when the command is used wrongly. A run with --scenarios
        gives no tier: it ends with 0 when something passed and nothing failed.
        """
        from gateway.certify.bench import folder_of
        from gateway.certify.report import view, write
        from gateway.certify.run import certify as run
        from gateway.certify.run import clean, grade, reaches
        from gateway.certify.scenario import Tier
        from gateway.hub import clock

        if tier not in (names := [one.value for one in Tier if one is not Tier.PARTIAL]):
            raise typer.BadParameter(f"one of {', '.join(names)}", param_hint="--tier")
        chosen, folder = _chosen(scenarios), folder_of(system)
        if verify:
            _verified(verify, folder, Tier(tier))
            return
        if url and not yes:
            typer.confirm(f"对 {url} 的真实对端运行 play against the live platform at {url}?", abort=True)
        results = run(
            folder, chosen, url=url, simulator=simulator, everything=everything, told=_silent if as_json else _told
        )  # fmt: skip
        told = view(_about(folder, url, simulator=simulator), results, clock(), whole=not scenarios)
        written = write(report, told) if report else ()
        if as_json:
            emit(told)
        else:
            _summed_up(told, written)
        if not (clean(results) if scenarios else reaches(grade(results), Tier(tier))):
            raise typer.Exit(1)


def _chosen(names: str) -> "list[Scenario]":
    from gateway.certify.scenario import pack

    wanted, found = [name.strip() for name in names.split(",") if name.strip()], pack()
    known = [one.name for one in found]
    for name in wanted:
        if name not in known:
            raise typer.BadParameter(f"no scenario '{name}'; there are {', '.join(known)}", param_hint="--scenarios")
    return [one for one in found if not wanted or one.name in wanted]


def _about(folder: Path, url: str, *, simulator: bool) -> dict[str, str]:
    from gateway.certify.bench import simulated
    from gateway.certify.digest import digest
    from gateway.certify.material import declaration

    declared, name = declaration(folder), folder.resolve().name
    side = url or ("模拟平台 simulated" if simulator and simulated(name, declared) else "无 none")
    facts = {"id": name, "title": declared.title, "edition": declared.edition, "other_side": side}
    return facts | {"digest": digest(folder)}


def _verified(certificate: Path, folder: Path, wanted: "Tier") -> None:
    from gateway.certify.digest import tier_of
    from gateway.certify.report import WORDS
    from gateway.certify.run import reaches

    reached = tier_of(certificate, folder)
    out.print(f"[bold]{WORDS[reached]}[/bold]  {folder.name}", highlight=False)
    if not reaches(reached, wanted):
        raise typer.Exit(1)


_WIDTH = 80
_COLOURS = {"passed": "green", "failed": "red", "not applicable": "dim"}


def _told(scenario: "Scenario", result: "Result | None") -> None:
    """One line a scenario, on standard error."""
    from gateway.certify.report import CAPS, WORDS
    from gateway.cli.check import wrapped

    if result is None:
        if err.is_terminal:
            err.print(f"[dim]…  {scenario.title.zh}[/]", end="\r", highlight=False)
        return
    err.print(
        f"[{_COLOURS[result.result]}]{WORDS[result.result]}[/]  {scenario.title.zh} [dim]{scenario.name} "
        f"{result.seconds:.1f} s[/]",
        highlight=False,
    )  # fmt: skip
    for note in filter(None, (result.why, result.limit, CAPS if result.caps else "")):
        for line in wrapped(note, _WIDTH - 4):
            err.print(f"    {line}", markup=False, highlight=False, style="dim", soft_wrap=True)


def _silent(_scenario: "Scenario", _result: "Result | None") -> None:
    """Standard output is for machines."""


def _summed_up(told: dict[str, object], written: tuple[Path, ...]) -> None:
    from gateway.certify.report import WORDS

    counts = told["counts"]
    assert isinstance(counts, dict)
    told_counts = ", ".join(f"{WORDS[word]} {count}" for word, count in counts.items())
    out.print(f"[bold]{WORDS[str(told['tier'])]}[/bold]  {told_counts}", highlight=False)
    for path in written:
        out.print(str(path), highlight=False, markup=False, soft_wrap=True)
