"""`gridhub upstream`: other servers' maps, how they stand, and what changed in them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.shared import AsJson, Config, emit, err, line, missing, run, store

if TYPE_CHECKING:
    from connectors.ogc.capabilities import Box
    from gateway.upstream.fetch import Progress
    from gateway.upstream.file import Registered

commands = typer.Typer(help="Other servers' WMS, WMTS and WFS. 上游地图服务", no_args_is_help=True)
_STATES = {
    "up": "正常", "slow": "响应慢", "missing": "图层缺失", "unknown": "未检查", "unreachable": "不可达",
    "too_slow": "超时", "certificate": "证书问题", "redirect": "被重定向", "too_large": "响应过大",
    "token": "令牌失效", "exception": "返回异常", "status": "状态码错误", "content_type": "内容类型错误",
    "unreadable": "能力文档不可读",
}  # fmt: skip
_GOOD = frozenset({"up", "slow"})
_ENDINGS = {"done": "完成", "full": "已达上限", "trouble": "服务异常"}
_EVERY = 2.0
"""Seconds between two lines that say how far it is."""


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

    registered = _registered(config, asking=True)
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


@commands.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="A service with `cache` in upstream.yaml.")],
    box: Annotated[
        str, typer.Option(help="west,south,east,north in degrees; default: the box of the cache.", metavar="W,S,E,N")
    ] = "",
    zooms: Annotated[str, typer.Option(help="Levels, such as 5-12; default: those of the cache.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how many tiles it would be, and ask nothing.")
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Fetch a base map ahead, for when its server is away. Given again, it goes on where it stopped. 离线底图

    Ends with 1 when the service gave up, or the file may not grow any more.
    """
    from gateway.settings import settings
    from gateway.upstream.keeping import cache_of, folder_of, path_of

    registered = _one(_registered(config, asking=not dry_run), name)
    cache, pyramid = cache_of(registered)
    levels = _levels(zooms, cache.zooms) if zooms else cache.zooms
    where = _box(box, cache.box) if box else cache.box
    path = path_of(registered, folder_of(settings(config)))
    counts = {zoom: pyramid.count(range(zoom, zoom + 1), where) for zoom in levels}
    if dry_run:
        total = sum(counts.values())
        view = {"upstream": name, "file": str(path), "tiles": total, "by_zoom": counts,
                "seconds_at_least": round(total / cache.rate), "megabytes_at_most": cache.most // 1_000_000}  # fmt: skip
        if as_json:
            emit(view)
            return
        for zoom, count in counts.items():
            line(f"level 级别 {zoom:>2}: {count:>12,} tiles 瓦片")
        line(f"{total:,} tiles, {view['seconds_at_least']:,} s at least at {cache.rate:g} a second")
        line(f"into {path}, {view['megabytes_at_most']:,} MB at most")
        return
    _fetch(registered, levels, where, config, as_json=as_json)


def _fetch(registered: "Registered", levels: range, box: "Box", config: Path | None, *, as_json: bool) -> None:
    import time

    from connectors.ogc.asking import Failed
    from gateway.hub import clock
    from gateway.settings import settings
    from gateway.upstream.fetch import Fetch, Progress
    from gateway.upstream.keeping import folder_of, opened

    shown = time.monotonic()

    def told(progress: Progress) -> None:
        nonlocal shown
        if time.monotonic() - shown >= _EVERY:
            shown = time.monotonic()
            err.print(_counted(progress), highlight=False, soft_wrap=True)

    with opened(registered, folder_of(settings(config))) as file:
        try:
            made = run(Fetch(registered, file, zooms=levels, box=box, now=clock, told=told).run)
        except Failed as error:
            err.print(f"gridhub: {registered.name}: {error}", markup=False, highlight=False)
            raise typer.Exit(1) from None
        view = {
            "upstream": registered.name, "file": str(file.path), "ending": made.ending.value, "why": made.why,
            "wanted": made.wanted, "had": made.had, "fetched": made.fetched, "absent": made.absent,
            "failed": made.failed, "bytes": made.bytes, "file_bytes": file.size,
        }  # fmt: skip
    if as_json:
        emit(view)
    else:
        line(f"{_ENDINGS[view['ending']]} {view['ending']}: {_counted(made)}")
        if made.why:
            line(made.why, indent=4)
        line(f"{view['file']}  {view['file_bytes'] / 1e6:,.1f} MB")
    if made.ending != "done" or made.failed:
        raise typer.Exit(1)


def _counted(progress: "Progress") -> str:
    return (
        f"{progress.over:,} of {progress.wanted:,} tiles: {progress.fetched:,} fetched ({progress.bytes / 1e6:,.1f} MB), "
        f"{progress.had:,} there already, {progress.absent:,} not offered, {progress.failed:,} failed"
    )


def _levels(text: str, allowed: range) -> range:
    first, dash, last = text.partition("-")
    try:
        chosen = range(int(first), int(last if dash else first) + 1)
    except ValueError:
        raise typer.BadParameter("levels are written 5-12", param_hint="--zooms") from None
    if not chosen or chosen.start not in allowed or chosen.stop - 1 not in allowed:
        raise typer.BadParameter(f"served are levels {allowed.start}-{allowed.stop - 1}", param_hint="--zooms")
    return chosen


def _box(text: str, allowed: "Box") -> "Box":
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter("a box is written 118.2,31.2,118.6,31.5", param_hint="--box") from None
    inside = allowed[0] <= west < east <= allowed[2] and allowed[1] <= south < north <= allowed[3]
    if not inside:
        shown = ",".join(f"{side:g}" for side in allowed)
        raise typer.BadParameter(f"west,south,east,north within {shown}, which is what is served", param_hint="--box")
    return west, south, east, north


def _registered(config: Path | None, *, asking: bool = False) -> "dict[str, Registered]":
    """The services. `asking`: what is wrong with them is told, such as a token whose variable is not set."""
    import os

    from canonical.errors import Misconfigured
    from canonical.findings import Severity
    from gateway.configuration import read
    from gateway.settings import settings

    configuration, findings = read(settings(config).config, os.environ, unset=Severity.WARNING)
    if configuration is None:
        raise Misconfigured("\n".join(map(str, findings)))
    if asking:
        for one in findings:
            if one.key.partition(".")[0] in configuration.upstream:
                err.print(f"gridhub: {one}", markup=False, highlight=False, soft_wrap=True)
    return dict(configuration.upstream)


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
