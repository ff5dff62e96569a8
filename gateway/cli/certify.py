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
        url: Annotated[
            str,
            typer.Option(
                help="A live test environment instead of the simulated platform: its address, as in systems.yaml."
            ),
        ] = "",
        secret: Annotated[
            list[str] | None,
            typer.Option(
                metavar="NAME=VALUE",
                help="Live: a secret agreed with the platform; NAME=@FILE reads it from a file. May be repeated.",
            ),
        ] = None,
        simulator: Annotated[
            bool,
            typer.Option(
                "--simulator/--no-simulator",
                help="Start the simulated platform, where there is one; else the other side is made of the folder.",
            ),
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

        A private hub with a temporary database is started; the platform's side is played from its own samples, and by
        its simulator, a live test environment (--url) or the bench. Nothing of a real city is touched. A minute or two.

        Ends with 0 when the wanted tier is reached, 1 when it is not (or the certificate to verify is of another
        folder), 2 when the command is used wrongly, 3 when the folder cannot be loaded. A run with --scenarios gives no
        tier: it ends with 0 when something passed and nothing failed.
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
        account = _account(folder, secret or [])
        if url:
            _usable(folder, url)
        if verify:
            _verified(verify, folder, Tier(tier))
            return
        if url and not yes:
            typer.confirm(f"对 {url} 的真实对端运行 play against the live platform at {url}?", abort=True)
        results = run(
            folder, chosen, url=url, simulator=simulator, everything=everything, account=account,
            told=_silent if as_json else _Teller(len(chosen)),
        )  # fmt: skip
        told = view(_about(folder, url, simulator=simulator), results, clock(), whole=not scenarios)
        written = write(report, told) if report else ()
        if as_json:
            emit(told)
        else:
            _summed_up(told, results, written)
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


def _account(folder: Path, given: list[str]) -> dict[str, str]:
    from gateway.certify.material import declaration

    known, found = declaration(folder).secrets, {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or name not in known:
            raise typer.BadParameter(
                f"NAME=VALUE is expected, NAME one of {', '.join(known) or 'none'}", param_hint="--secret"
            )
        try:
            found[name] = Path(value[1:]).read_text(encoding="utf-8").strip() if value.startswith("@") else value
        except OSError as error:
            raise typer.BadParameter(f"{value[1:]}: {error.strerror}", param_hint="--secret") from None
    return found


_SCHEMES = {"http": ("http", "https"), "soap": ("http", "https")}


def _usable(folder: Path, url: str) -> None:
    """Only the form of the address: whether somebody is there, the first scenario tells."""
    from urllib.parse import urlsplit

    from gateway.certify.material import declaration

    protocol = declaration(folder).connector.protocol
    schemes = _SCHEMES.get(protocol)
    parts = urlsplit(url)
    if schemes and (parts.scheme not in schemes or not parts.hostname):
        raise typer.BadParameter(
            f"'{url}' is no address for {protocol}: https://host/path is expected 应为 https://主机/路径",
            param_hint="--url",
        )


def _about(folder: Path, url: str, *, simulator: bool) -> dict[str, str]:
    from gateway.certify.bench import other_side
    from gateway.certify.digest import digest
    from gateway.certify.material import declaration

    declared, name = declaration(folder), folder.resolve().name
    side = url or other_side(name, declared, simulator=simulator)
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


class _Teller:
    """One line a scenario, on standard error; what does not apply is told at the end, by its reason."""

    def __init__(self, number: int) -> None:
        self.number, self.at = number, 0

    def __call__(self, scenario: "Scenario", result: "Result | None") -> None:
        """Before a scenario (no result), and after it."""
        from gateway.certify.report import CAPS, WORDS
        from gateway.certify.run import NOT_APPLICABLE

        if result is None:
            self.at += 1
            if err.is_terminal:
                err.print(f"[dim]{self.at}/{self.number}  {scenario.title.zh}[/]\x1b[K", end="\r", highlight=False)
            return
        if result.result == NOT_APPLICABLE and not result.caps:
            return
        err.print(
            f"[{_COLOURS[result.result]}]{WORDS[result.result]}[/]  {scenario.title.zh} [dim]{scenario.name} "
            f"{result.seconds:.1f} s[/]" + ("\x1b[K" if err.is_terminal else ""),
            highlight=False, soft_wrap=True,
        )  # fmt: skip
        for note in filter(None, (result.why, result.limit, CAPS if result.caps else "")):
            _noted(note)


def _noted(note: str) -> None:
    from gateway.cli.check import wrapped

    for line in wrapped(note, _WIDTH - 4):
        err.print(f"    {line}", markup=False, highlight=False, style="dim", soft_wrap=True)


def _silent(_scenario: "Scenario", _result: "Result | None") -> None:
    """Standard output is for machines."""


def _summed_up(told: dict[str, object], results: "list[Result]", written: tuple[Path, ...]) -> None:
    from gateway.certify.report import WORDS
    from gateway.certify.run import NOT_APPLICABLE

    reasons: dict[str, list[str]] = {}
    for one in results:
        if one.result == NOT_APPLICABLE and not one.caps:
            reasons.setdefault(one.why, []).append(one.scenario.name)
    if reasons:
        err.print(WORDS[NOT_APPLICABLE], style="dim", highlight=False)
    for why, names in reasons.items():
        _noted(f"{', '.join(names)}: {why}")
    counts = told["counts"]
    assert isinstance(counts, dict)
    told_counts = ", ".join(f"{WORDS[word]} {count}" for word, count in counts.items())
    out.print(f"[bold]{WORDS[str(told['tier'])]}[/bold]  {told_counts}", highlight=False, soft_wrap=True)
    for path in written:
        out.print(str(path), highlight=False, markup=False, soft_wrap=True)
