"""`gridhub duty`: who is on duty in a grid for a class, and how the team is laid over the grids."""

from typing import Annotated, Any

import typer

from gateway.cli.shared import AsJson, Config, emit, err, line
from gateway.cli.shared import city as load_city

_ID, _UNIT = 26, 22


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @app.command()
    def duty(
        grid: Annotated[str, typer.Option("--grid", "-g", help="Unit grid, 15 digits, or a division.")] = "",
        class_: Annotated[str, typer.Option("--class", help="Class, such as 30428.2:E04-06.")] = "",
        at: Annotated[str, typer.Option(help="When, such as 2026-10-03T23:10, in Shanghai time; default: now.")] = "",
        review: Annotated[
            bool, typer.Option("--review", help="Grids with several officers, officers with several grids, loads.")
        ] = False,
        plain: Annotated[bool, typer.Option("--plain", help="Names unmasked.")] = False,
        config: Config = None,
        as_json: AsJson = False,
    ) -> None:
        """Who is on duty in a unit grid for a class, in which order and why; who is not, and why. 谁当班

        With --review: 一格多员 and 一员多格 on a day, and what each officer has to cover. No database is needed. Ends
        with 1 when nobody is on duty.
        """
        from gateway.duty import duty_view, instant, load_view
        from gateway.hub import clock
        from gateway.refusal import Refusal

        if not review and not (grid and class_):
            raise typer.BadParameter("say --grid and --class, or --review")
        if review and (grid or class_):
            raise typer.BadParameter("--review is of the whole team: leave --grid and --class out")
        try:
            when = instant(at) or clock()
            city = load_city(config, whole=True).city
            if review:
                _show_load(load_view(city, when, names=plain), as_json=as_json)
                return
            view = duty_view(city, grid, class_, when, names=plain)
        except Refusal as error:
            err.print(f"gridhub: {error}", markup=False, highlight=False, soft_wrap=True)
            err.print(f"  {error.hint}", markup=False, highlight=False, soft_wrap=True)
            raise typer.Exit(_NOT_FOUND if error.status == 404 else _USAGE) from None
        _show_duty(view, as_json=as_json)
        if not view["on"]:
            raise typer.Exit(1)


_USAGE, _NOT_FOUND = 2, 5


def _show_duty(view: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit(view)
        return
    line(f"{view['grid']} {view['grid_title']}", style="bold")
    line(f"{view['class']} {view['class_title']}, {view['at']:%Y-%m-%d %H:%M}")
    if view["nobody"]:
        line(f"nobody on duty 无人当班: {view['nobody']}", style="red")
    for number, one in enumerate(view["on"], start=1):
        line(f"{number:>2}  {one['officer']} {one['name']} {_post(one['post'])}", style="green")
        line(f"for {one['for_unit']} {one['unit_title']}", indent=4)
        line(one["why"], indent=4, style="dim")
    if view["off"]:
        line(f"not there 不在岗: {len(view['off'])}")
    for one in view["off"]:
        line(f"{one['officer']} {one['name']} {_post(one['post'])}", indent=4)
        line(one["why"], indent=6, style="dim")


def _show_load(view: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit(view)
        return
    grids, officers = view["grids"], view["officers"]
    line(f"{view['day']}: {officers['all']} officers 人员, {grids['all']} unit grids 单元网格", style="bold")
    full = f", at most {grids['most']} in {grids['fullest']}" if grids["fullest"] else ""
    line(f"several officers of their own 一格多员: {grids['several_officers']} grids{full}")
    line(f"one officer of their own 一格一员: {grids['one_officer']} grids")
    line(f"only officers of streets, districts or the city 由上级覆盖: {grids['from_above']} grids")
    line(f"no officer at all 无人: {grids['without_officer']} grids")
    line(f"several grids for an officer 一员多格: {officers['several_grids']} officers")
    line(f"several industry grids 跨行业网格: {officers['several_industry_grids']} officers")
    line(f"{'officer':<{_ID}}{'unit':<{_UNIT}}{'grids':>6}{'first':>7}{'km²':>9}  industry", style="bold")
    for one in view["items"]:
        row = f"{one['officer']:<{_ID}}{one['unit']:<{_UNIT}}{one['grids']:>6}{one['in_charge']:>7}"
        line(f"{row}{one['square_kilometres']:>9.2f}  {', '.join(one['industry_grids'])}", indent=0)


def _post(post: Any) -> str:  # noqa: ANN401
    from gateway.duty import POST_TITLES

    return f"{post} {POST_TITLES[post]}"
