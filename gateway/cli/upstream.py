"""`gridhub upstream`: other servers' maps, how they stand, and what changed in them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.shared import AsJson, Config, emit, line, missing, run, store

if TYPE_CHECKING:
    from gateway.upstream.file import Registered

commands = typer.Typer(help="Other servers' WMS, WMTS and WFS. 上游地图服务", no_args_is_help=True)
_STATES = {
    "up": "正常", "slow": "响应慢", "missing": "图层缺失", "unknown": "未检查", "unreachable": "不可达",
    "too_slow": "超时", "certificate": "证书问题", "redirect": "被重定向", "too_large": "响应过大",
    "token": "令牌失效", "exception": "返回异常", "status": "状态码错误", "content_type": "内容类型错误",
    "unreadable": "能力文档不可读",
}  # fmt: skip
_GOOD = frozenset({"up", "slow"})


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(commands, name="upstream")


@commands.command("list")
def list_services(config: Config = None, as_json: AsJson = False) -> None:
    """The services of upstream.yaml, and how each stood when it was last asked. 服务清单"""
    from gateway.upstream.view import standing_view
    from storage.upstream import Upstreams

    registered = _registered(config)

    async def job() -> dict[str, Any]:
        async with store(config) as opened:
            return await Upstreams(opened).looks()

    looks = run(job)
    views = [standing_view(one, looks.get(name)) for name, one in registered.items()]
    if as_json:
        emit(views)
        return
    for view in views:
        _print(view)
    line(f"{len(views)} services 个服务")


@commands.command("check")
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Services to ask; default: all.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Ask now: capabilities and one small picture, tile or count. Keeps nothing. 立即检查

    Ends with 1 when one of them does not answer as it should, or should be asked in another way.
    """
    import asyncio

    from gateway.upstream.view import seen_view
    from gateway.upstream.watch import seen

    registered = _registered(config)
    chosen = [_one(registered, name) for name in names] if names else list(registered.values())

    async def job() -> list[Any]:
        return await asyncio.gather(*(seen(one) for one in chosen))

    views = [seen_view(one, found) for one, found in zip(chosen, run(job), strict=True)]
    if as_json:
        emit(views)
    else:
        for view in views:
            _print(view)
    if any(view["state"] not in _GOOD or view["hint"] for view in views):
        raise typer.Exit(1)


@commands.command("drift")
def drift(
    name: Annotated[str, typer.Argument(help="Only of this service.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Layers, CRSs, formats, styles, boxes and matrix sets that came or went, the newest first. 能力变化"""
    from gateway.upstream.view import drift_view
    from storage.upstream import Upstreams

    async def job() -> list[Any]:
        async with store(config) as opened:
            return await Upstreams(opened).drift(name=name, limit=limit)

    views = [drift_view(one) for one in run(job)]
    if as_json:
        emit(views)
        return
    for view in views:
        when = view["at"][:16].replace("T", " ")
        line(f"{when}  {view['upstream']}  {view['layer']}", style="yellow" if view["change"] == "went" else "")
        line(f"{view['what']} {view['change']}: {view['text']}", indent=4)
    line(f"{len(views)} changes 项变化")


def _registered(config: Path | None) -> "dict[str, Registered]":
    from gateway.cli.shared import city

    return dict(city(config).upstream)


def _one(registered: "dict[str, Registered]", name: str) -> "Registered":
    if name not in registered:
        missing(f"no service '{name}' in upstream.yaml; known: {', '.join(sorted(registered)) or 'none'}")
    return registered[name]


def _print(view: dict[str, Any]) -> None:
    state = f"{_STATES.get(view['state'], '')} {view['state']}"
    took = f"  {view['seconds']:.2f} s" if view["seconds"] is not None else ""
    style = "" if view["state"] in _GOOD else "red" if view["state"] != "unknown" else "dim"
    line(f"{view['upstream']}  {state}{took}", style=style)
    line(f"{view['kind']} {view['version']}  {view['host']}  {', '.join(view['layers'])}  {view['title']}", indent=4)
    if view.get("since"):
        line(f"since 自 {view['since'][:16].replace('T', ' ')}", indent=4)
    if view["why"]:
        line(view["why"], indent=4)
    if view["hint"]:
        line(f"hint 提示: {view['hint']}", style="yellow", indent=4)
