"""`gridhub evidence`: seals over what is durable, and packs that others can verify without us."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from canonical.rights import EVERYTHING
from gateway.cli.shared import AsJson, Config, emit, err, missing, out, run, store

if TYPE_CHECKING:
    from gateway.evidence.pack import Withhold, Written

commands = typer.Typer(
    help="Seals, and packs that others can verify without us. 证据封存与证据包", no_args_is_help=True
)

To = Annotated[Path, typer.Option("--to", help="Folder to write; it must not be there yet.")]
KnownHead = Annotated[
    list[str] | None,
    typer.Option(
        "--known-head", help="A head its reader kept: the pack proves that the chain goes on from it. May be repeated."
    ),
]
Headers = Annotated[
    bool, typer.Option("--with-headers", help="Disclose headers and paths of messages: they may hold partners' keys.")
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="evidence")


@commands.command("case")
def case(
    number: Annotated[str, typer.Argument(help="Any number of any system: ours, a task's, a visible number.")],
    to: To,
    mask: Annotated[
        bool, typer.Option("--mask/--whole", help="Leave out persons, bytes of messages and files; their digests stay.")
    ] = False,
    with_headers: Headers = False,
    with_pages: Annotated[
        bool, typer.Option("--with-pages", help="Bytes of messages that speak of other cases, too.")
    ] = False,
    known_head: KnownHead = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Everything about one case, with proofs, in a folder that anybody can verify offline. 单案证据包

    Whole by default, with personal data and the bytes of messages: give it to those alone who may see them.
    """
    from gateway.evidence.pack import Withhold

    kept = {Withhold.PERSONS: mask, Withhold.TRANSPORT: not with_headers, Withhold.PAGES: not with_pages}
    _pack([number], to, {what for what, yes in kept.items() if yes}, known_head or [], None, config, as_json=as_json)


@commands.command("figure")
def figure(
    cases: Annotated[
        list[str] | None,
        typer.Argument(help="Numbers of the cases behind it; - or nothing: one a line on standard input."),
    ] = None,
    to: To = Path("evidence"),
    column: Annotated[
        str, typer.Option("--column", help="Counter or rate of indicators.yaml: its cases are found.")
    ] = "",
    period: Annotated[str, typer.Option("--period", "-p", help="With --column: 2026-10, 2026-W44, 2026-Q3, ...")] = "",
    by: Annotated[str, typer.Option("--by", help="With --column: district, street, unit, system, or a post.")] = "unit",
    subject: Annotated[str, typer.Option("--of", help="With --column: id of who is assessed; *: all together.")] = "*",
    edition: Annotated[int | None, typer.Option("--edition", min=0, help="With --column; default: the latest.")] = None,
    title: Annotated[str, typer.Option(help="What the figure is, such as 'on time in 2026-10, unit 340202'.")] = "",
    value: Annotated[str, typer.Option(help="What it was reported as.")] = "",
    about: Annotated[
        Path | None, typer.Option(help="JSON file that says what the figure is: goes into figure.json.")
    ] = None,
    mask: Annotated[
        bool, typer.Option("--mask/--whole", help="Leave out persons, bytes of messages and files; their digests stay.")
    ] = True,
    known_head: KnownHead = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """All cases behind one figure, with proofs: a figure of assessment by --column, or given cases. 指标证据包

    Masked by default.
    """
    from gateway.evidence.pack import MASKED, WHOLE

    said = {**_about(about), **{name: text for name, text in (("title", title), ("value", value)) if text}}
    if column:
        numbers, figure_ = _behind(column, period, by, subject, edition, config)
        said = figure_ | said
        if not numbers:
            missing("there is no case behind this figure")
    else:
        numbers = cases if cases and cases != ["-"] else sys.stdin.read().split()
    _pack(numbers, to, set(MASKED if mask else WHOLE), known_head or [], said, config, as_json=as_json)


def _behind(
    column: str, period: str, by: str, subject: str, edition: int | None, config: Path | None
) -> tuple[list[str], dict[str, Any]]:
    from gateway.assessment.tracing import Where
    from gateway.cli.assess import with_city
    from gateway.evidence.figure import behind_figure
    from gateway.hub import clock

    if not period:
        raise typer.BadParameter("--column needs --period")
    where = Where(period, by, subject, column, edition)

    async def job(opened: Any, configuration: Any) -> Any:  # noqa: ANN401
        return await behind_figure(opened, configuration, where, now=clock())

    found: tuple[list[str], dict[str, Any]] = with_city(config, job)
    return found


def _about(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{path}: {error}") from None
    if not isinstance(said, dict):
        raise typer.BadParameter(f"{path}: a JSON object is expected")
    return said


def _pack(
    numbers: Sequence[str], to: Path, withhold: "set[Withhold]", known_heads: Sequence[str],
    about: dict[str, Any] | None, config: Path | None, *, as_json: bool,
) -> None:  # fmt: skip
    from gateway.evidence.pack import Order, write_pack
    from gateway.evidence.seal import Sealer
    from gateway.evidence.sign import signer
    from gateway.hub import clock
    from gateway.settings import settings
    from storage.files import FileStore

    told = settings(config)
    order = Order(
        frozenset(withhold), known_heads, about, FileStore(told.file_folder), signer(told.evidence_key),
        _counting(len(numbers)),
    )  # fmt: skip

    async def job() -> "Written | str":
        async with store(config) as opened:
            await Sealer(opened, now=clock, algorithm=told.evidence_digest).catch_up()
            cases = list(numbers)
            if about is None:
                known = await _known(opened, numbers[0])
                if known is None:
                    return numbers[0]
                cases = [known]
            return await write_pack(opened, cases, to, at=clock(), order=order)

    written = run(job)
    if isinstance(written, str):
        missing(f"nobody knows a case {written}")
    _tell(written, as_json=as_json)
    raise typer.Exit(1 if written.changed else 0)


async def _known(opened: Any, number: str) -> str | None:  # noqa: ANN401
    from storage import evidence

    async with opened.transaction() as transaction:
        return await evidence.found(transaction.connection, number, scope=EVERYTHING)


def _counting(cases: int) -> Any:  # noqa: ANN401
    from gateway.evidence.pack import AT_ONCE

    def tell(done: int) -> None:
        if cases > AT_ONCE:
            err.print(f"{done:,} of {cases:,} cases", highlight=False)

    return tell


def _tell(written: "Written", *, as_json: bool) -> None:
    if as_json:
        emit({name: _plain(getattr(written, name)) for name in written.__dataclass_fields__})
        return
    out.print(f"{written.folder}: {written.cases} cases, {written.lines} lines", highlight=False, soft_wrap=True)
    for where in written.changed:
        out.print(f"CHANGED  {where} is not what was sealed: see gridhub evidence check", highlight=False)
    if written.not_sealed:
        out.print(f"{written.not_sealed} lines are not sealed yet: a transaction is still open", highlight=False)
    out.print(f"head {written.head}  of seal {written.size}\npack {written.digest}", highlight=False, soft_wrap=True)


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


@commands.command("verify")
def verify(
    folder: Annotated[Path, typer.Argument(help="Folder of a pack.")],
    head: Annotated[str, typer.Option(help="A head of the chain that you kept yourself.")] = "",
    key: Annotated[str, typer.Option(help="The city's public key, 64 hex digits.")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Fail when lines are not sealed yet.")] = False,
) -> None:
    """Verify a pack. Needs no hub: the same as python3 verify.py in the folder, by the project's own copy. 核验证据包"""
    from gateway.evidence.verify import main

    options = [str(folder), *(["--head", head] if head else []), *(["--key", key] if key else [])]
    raise typer.Exit(main([*options, *(["--strict"] if strict else [])]))


@commands.command("head")
def head(
    to: Annotated[
        Path | None,
        typer.Option("--to", help="File that gets it as one more line of JSON: keep it where the hub cannot write."),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """The head of the chain as it is now, to be kept by others. 链头

    Whoever has kept one sees from any later pack whether the chain was made anew since.
    """
    from gateway.evidence.head import head_view
    from gateway.evidence.sign import signer
    from gateway.settings import settings

    told = settings(config)

    async def job() -> dict[str, Any] | None:
        async with store(config) as opened:
            return await head_view(opened, signer(told.evidence_key))

    view = run(job)
    if view is None:
        missing("nothing is sealed yet")
    if to is not None:
        with to.open("a", encoding="utf-8") as file:
            file.write(json.dumps(view, ensure_ascii=False) + "\n")
    if as_json:
        emit(view)
    else:
        out.print(f"{view['head']}  seal {view['size']}  {view['sealed_at']}", highlight=False, soft_wrap=True)


@commands.command("check")
def check(
    first: Annotated[int, typer.Option("--from", min=1, help="First seal to look at.")] = 1,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Compare the whole chain with the database: what was changed, removed or slipped in behind the hub's back. 核对封存链

    Exit code 1 when something was found.
    """
    from dataclasses import asdict

    from gateway.evidence.check import Checked, Checker

    def progress(sofar: Checked) -> None:
        if sofar.seals % 1000 == 0:
            err.print(f"{sofar.seals:,} seals, {sofar.rows:,} rows", highlight=False)

    async def job() -> Checked:
        async with store(config) as opened:
            return await Checker(opened, progress=progress).all(first)

    checked = run(job)
    if first > 1 and not checked.seals:
        missing(f"there is no seal {first} yet: nothing was checked")
    if as_json:
        emit(asdict(checked))
    else:
        for found in checked.findings:
            out.print(
                f"{found.wrong}  {found.where}: {found.text} (seal {found.seal})", highlight=False, soft_wrap=True
            )
        out.print(
            f"{checked.seals:,} seals, {checked.rows:,} rows as they were sealed, {checked.cut:,} gone by retention, "
            f"{len(checked.findings):,} findings\nhead {checked.head or '-'}",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
    raise typer.Exit(1 if checked.findings else 0)
