"""Whether a city's systems have the tier the city asks for. A warning: nothing stops the hub."""

from pathlib import Path
from typing import Literal

from canonical.errors import Misconfigured
from gateway.certify.digest import tier_of
from gateway.certify.scenario import Tier

Wanted = Literal["none", "bronze", "silver", "gold"]
_ORDER = (Tier.NONE, Tier.BRONZE, Tier.SILVER, Tier.GOLD)


def shortfall(folder: Path, certificate: Path | None, wanted: Wanted) -> str:
    """What is missing, in words; empty when nothing is asked for or the certificate gives enough.

    `folder`: where the declaration lies. A certificate that is named must be valid even where no tier is asked for.
    """
    if certificate is None and wanted == "none":
        return ""
    if certificate is None:
        return f"无证书, 要求 {wanted} | no certificate, {wanted} is asked for: gridhub certify"
    try:
        reached = tier_of(certificate, folder)
    except Misconfigured as error:
        return str(error)
    if _ORDER.index(reached) < _ORDER.index(Tier(wanted)):
        return f"级别不够: {reached}, 要求 {wanted} | the certificate gives {reached}, {wanted} is asked for"
    return ""
