"""`gridhub people`: accounts of the console."""

import getpass
from typing import Annotated, Any

import typer

from canonical.rights import ROLE_TITLES, Role
from gateway.cli.shared import AsJson, Config, emit, hub, line, missing, out, run

commands = typer.Typer(help="Accounts of the console: make, list, reset. 人员账号", no_args_is_help=True)
Login = Annotated[str, typer.Argument(help="Name of the account.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="people")


@commands.command("add")
def add(
    login: Login,
    role: Annotated[Role, typer.Option(help="What they are to the city.")],
    name: Annotated[str, typer.Option(help="The person's name; default: the login.")] = "",
    area: Annotated[list[str], typer.Option(help="A division they see, by the beginning of its code.")] = [],  # noqa: B006
    class_: Annotated[list[str], typer.Option("--class", help="A class they see, such as 30428.2:E04.")] = [],  # noqa: B006
    system: Annotated[list[str], typer.Option(help="A system whose cases they see.")] = [],  # noqa: B006
    unit: Annotated[list[str], typer.Option(help="A unit whose cases they see.")] = [],  # noqa: B006
    elsewhere: Annotated[bool, typer.Option("--elsewhere", help="Signs in with another provider alone.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Make an account; its first password is printed once. 新建账号

    A district or street centre needs --area, a unit --unit. The first account of a city is an administrator's.
    """
    limits = {"areas": area, "classes": class_, "systems": system, "units": unit}

    async def made(wired: Any) -> str:  # noqa: ANN401 the hub, imported late
        from gateway.people.accounts import Wanted, make

        return await make(wired, Wanted(login.lower(), name or login, role, limits, local=not elsewhere), by=_me())

    password = _done(config, made)
    if as_json:
        emit({"login": login.lower(), "role": role, "password": password})
    elif password:
        line(f"{login.lower()} {ROLE_TITLES[role]}: first password 初始密码")
        out.print(f"  {password}", highlight=False)
        line("It must be changed at the first sign-in. 首次登录须修改。")
    else:
        line(f"{login.lower()} {ROLE_TITLES[role]}: signs in with another provider 通过统一认证登录")


@commands.command("list")
def listed(config: Config = None, as_json: AsJson = False) -> None:
    """Accounts, and what each sees. 列出账号"""

    async def read(wired: Any) -> list[dict[str, Any]]:  # noqa: ANN401
        from gateway.people.accounts_api import account_view
        from storage.people import People

        return [account_view(one) for one in await People(wired.store).listed(limit=10_000)]

    rows = _done(config, read)
    if as_json:
        emit({"items": rows})
        return
    for row in rows:
        limits = " ".join(f"{key}={','.join(ones)}" for key, ones in row["scope"].items() if ones)
        state = " closed 停用" if row["closed_at"] else ""
        line(f"{row['login']}  {row['role_title']} {row['role']}  {row['name']}{state}")
        if limits:
            line(limits, indent=4, style="dim")
    if not rows:
        line("nobody yet 尚无账号: gridhub people add LOGIN --role administrator")


@commands.command("reset")
def reset(login: Login, config: Config = None, as_json: AsJson = False) -> None:
    """A new first password for who has forgotten it; sessions end, a lock too. 重置密码"""

    async def done(wired: Any) -> str:  # noqa: ANN401
        from gateway.people.accounts import reset

        return await reset(wired, login.lower(), by=_me())

    password = _done(config, done)
    if as_json:
        emit({"login": login.lower(), "password": password})
        return
    line(f"{login.lower()}: first password 初始密码")
    out.print(f"  {password}", highlight=False)


@commands.command("without-codes")
def without_codes(login: Login, config: Config = None) -> None:
    """Do without one-time codes: somebody lost the telephone. 关闭动态口令"""

    async def done(wired: Any) -> None:  # noqa: ANN401
        from gateway.people.accounts import without_codes

        await without_codes(wired, login.lower(), by=_me())

    _done(config, done)
    line(f"{login.lower()}: no one-time codes until they are set up anew 已关闭动态口令")


@commands.command("close")
def close(
    login: Login, reason: Annotated[str, typer.Option(help="Why; kept with it.")], config: Config = None
) -> None:  # fmt: skip
    """Let nobody in with it any more; what its owner did stays. 停用账号"""

    async def done(wired: Any) -> None:  # noqa: ANN401
        from gateway.people.accounts import close

        await close(wired, login.lower(), by=_me(), reason=reason)

    _done(config, done)
    line(f"{login.lower()}: closed 已停用")


@commands.command("reopen")
def reopen(
    login: Login, reason: Annotated[str, typer.Option(help="Why; kept with it.")], config: Config = None
) -> None:  # fmt: skip
    """Let it in again. 启用账号"""

    async def done(wired: Any) -> None:  # noqa: ANN401
        from gateway.people.accounts import reopen

        await reopen(wired, login.lower(), by=_me(), reason=reason)

    _done(config, done)
    line(f"{login.lower()}: open 已启用")


def _done(config: Any, job: Any) -> Any:  # noqa: ANN401 whatever the job gives
    """Run it on a hub; what is refused ends with its words."""
    from gateway.refusal import Refusal

    async def within() -> Any:  # noqa: ANN401
        async with hub(config) as wired:
            return await job(wired)

    try:
        return run(within)
    except Refusal as error:
        if error.code == "unknown_person":
            missing(str(error))
        raise typer.BadParameter(str(error)) from None


def _me() -> str:
    return f"{getpass.getuser()} (command line)"
