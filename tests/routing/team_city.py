"""A small city with a team, read from real tables, for the tests of who is on duty."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from assessment.calendar_file import load_calendar
from canonical.findings import Finding
from canonical.organisation import Level, Unit
from canonical.ports import WorkingCalendar
from routing.catalogue import load_catalogue
from routing.divisions import load_divisions
from routing.team import Team
from routing.team_review import review_team
from routing.team_tables import Known, TeamFiles, load_team

GRIDS = ("340202016003001", "340202016003002", "340202016004001", "340207003001001")
HEADERS = {
    "officers.csv": "id,name,unit,post,classes,valid_from,valid_to",
    "grids.csv": "id,officer,area,order,valid_from,valid_to,note",
    "industry-grids.csv": "id,industry,name,area,share,valid_from,valid_to",
    "roster.csv": "id,officer,kind,days,hours,stand_in,valid_from,valid_to,note",
}
_DIVISIONS = """code,level,name,parent
3402,city,芜湖市,
340202,district,镜湖区,3402
340207,district,鸠江区,3402
340202016,street,赭山街道,340202
340202016003,community,凤凰山社区居民委员会,340202016
340202016004,community,官山社区居民委员会,340202016
340207003,street,官陡街道,340207
340207003001,community,官陡社区居民委员会,340207003
"""
_CLASSES = """code,name,acceptance,reason,note
30428.2:E04-06,占道经营,file,,
30428.2:E04-05,店外经营,file,,
30428.2:E01-10,暴露垃圾,file,,
30428.2:P04-01,行道树,file,,
"""
_STANDARDS = "id,class,condition,keywords,default,limit_value,limit_unit,closing,source\n"
_HOLIDAYS = "date,day_type,name,notice\n2026-10-01/2026-10-07,off,国庆节,演示\n2026-10-10,work,调休,演示\n"
UNITS = {
    name: Unit(id=name, name=name, level=Level.DISTRICT, area="340202") for name in ("urban", "landscape", "street")
}
UNITS["parks"] = UNITS["urban"].model_copy(
    update={"id": "parks", "merged_into": "landscape", "valid_to": date(2026, 6, 30)}
)


def _read() -> tuple[Known, WorkingCalendar]:
    files = {"divisions.csv": _DIVISIONS, "classes.csv": _CLASSES, "standards.csv": _STANDARDS, "days.csv": _HOLIDAYS}
    with TemporaryDirectory() as name:
        folder, findings = Path(name), list[Finding]()
        for file, content in files.items():
            (folder / file).write_text(content, encoding="utf-8")
        calendar = load_calendar(folder / "days.csv", ["08:00-12:00", "14:00-18:00"], findings)
        divisions, catalogue = load_divisions(folder / "divisions.csv", findings), load_catalogue(folder, [])
        assert findings == []
    return Known(UNITS, divisions, GRIDS, catalogue, lambda _unit: calendar), calendar


KNOWN, CALENDAR = _read()
"""What rows may name; the working time of all units: 08-12 and 14-18, the first week of October 2026 off."""


def team(**tables: str) -> tuple[Team, list[Finding]]:
    """The team of these tables (`officers`, `grids`, `industry`, `roster`: rows without header) and what is wrong with
    single rows.
    """
    loaded, findings, _ = _loaded(tables)
    return loaded, findings


def reviewed(**tables: str) -> list[str]:
    """What is wrong with all of it together; single rows must be right."""
    loaded, findings, industry = _loaded(tables)
    assert [one for one in findings if one.severity == "error"] == []
    return [
        str(one) for one in [*findings, *review_team(loaded, industry, GRIDS, KNOWN.catalogue, KNOWN.divisions)]
    ]  # fmt: skip


def _loaded(tables: Mapping[str, str]):  # type: ignore[no-untyped-def]  # noqa: ANN202
    names = {"officers": "officers.csv", "grids": "grids.csv", "industry": "industry-grids.csv", "roster": "roster.csv"}
    findings: list[Finding] = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        for key, file in names.items():
            (folder / file).write_text(f"{HEADERS[file]}\n{tables.get(key, '')}", encoding="utf-8")
        files = TeamFiles(folder, *names.values())
        loaded, industry = load_team(files, KNOWN, findings)
    return loaded, findings, industry
