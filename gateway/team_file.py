"""`team:` of city.yaml: the city's officers, and the tables that say who has which grid and when."""

from collections.abc import Callable, Collection
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from canonical.findings import Finding, Severity
from canonical.ports import WorkingCalendar
from routing.catalogue import Catalogue
from routing.divisions import Divisions
from routing.responsibility import ResponsibilityList
from routing.team import Team
from routing.team_review import review_team
from routing.team_tables import Known, TeamFiles, load_team


class TeamFile(BaseModel):
    """Officers and their grids."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    officers: str = Field(description="CSV of officers: unit, post, classes")
    grids: str = Field(description="CSV of their grids: officer to unit grids, divisions or industry grids")
    industry_grids: str = Field(default="", description="CSV of industry grids: which unit grids each covers")
    roster: str = Field(default="", description="CSV of shifts, leave and stand-ins; without: working time of the unit")
    edition: str = Field(description="edition stamped on dispatches")


def read_team(
    folder: Path, file: TeamFile, grids: Collection[str], divisions: Divisions, catalogue: Catalogue,
    responsibility: ResponsibilityList, working_time: Callable[[str], WorkingCalendar], findings: list[Finding],
) -> Team:  # fmt: skip
    """The team. What is wrong with rows and with all of them together goes to `findings`."""
    known = Known(responsibility.units, divisions, grids, catalogue, working_time)
    files = TeamFiles(folder, file.officers, file.grids, file.industry_grids, file.roster)
    found: list[Finding] = []
    team, industry = load_team(files, known, found)
    whole = not any(one.severity is Severity.ERROR for one in found)
    findings += [*found, *review_team(team, industry, list(grids), catalogue, divisions, whole=whole)]
    return team
