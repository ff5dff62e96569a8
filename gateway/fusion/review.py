"""`fusion.csv` read beside the systems' folders: a system can lead only what its messages tell of."""

from collections.abc import Collection, Mapping
from pathlib import Path

from canonical.findings import Finding, Severity
from canonical.lifecycle import ActionKind, Party
from canonical.organisation import Unit
from canonical.reading import SystemRole
from routing.fusion import Fusion, load_fusion

TOLD = (ActionKind.TAKE_OVER, ActionKind.HAND_BACK)


def read_fusion(
    path: Path, units: Mapping[str, Unit], roles: Mapping[str, SystemRole], names: Collection[str] | None,
    findings: list[Finding],
) -> Fusion:  # fmt: skip
    """Who leads which class. `names`: of all systems of systems.yaml, also those that cannot be loaded."""
    fusion = load_fusion(path, units, names, findings)
    for system in sorted(fusion.systems):
        role = roles.get(system)
        if role is None:  # what is wrong with its folder is told already
            continue
        if not role.leads:
            text = f"{system} cannot lead: no message of its folder has a step with kinds: {{{Party.LEAD_SYSTEM}: ...}}"
            findings.append(Finding(path.name, 0, "centre", text))
        untold = {why for kind in TOLD if (why := not_told(role, kind))}
        findings += (Finding(path.name, 0, "centre", why, Severity.WARNING) for why in sorted(untold))
    return fusion


def not_told(role: SystemRole, kind: ActionKind) -> str:
    """Why the system is not told that a case changes its centre, for its people to be told; empty: it is."""
    if kind in role.tells.get(Party.LEAD_SYSTEM, {}):
        return ""
    reason = role.unsupported.get(Party.LEAD_SYSTEM, {}).get(kind)
    return f"{role.id} is not told of {kind}: {reason or f'its folder has no tells.{Party.LEAD_SYSTEM}.{kind}'}"
