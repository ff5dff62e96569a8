"""Lead-system mode under chance: hubs of several editions, killed at any moment, lose no case; each has one centre."""

import random
from pathlib import Path

import pytest

from tests.gateway.conftest import StartHub
from tests.gateway.fusion_campaign import Campaign, check, run, summary
from tests.gateway.lead_platform import platform

_SEEDS = (20261128,)


@pytest.mark.parametrize("seed", _SEEDS)
def test_no_case_is_lost_and_each_has_one_centre(
    start_hub: StartHub, database_url: str, tmp_path: Path, seed: int
) -> None:
    ids = [f"A{number}" for number in range(50)] + [f"B{number}" for number in range(6)]
    hub = start_hub(doors=False)
    with platform() as command:
        campaign = Campaign(tmp_path, database_url, command, random.Random(seed))
        try:
            campaign.start()
            run(campaign, ids, tickets=8, rounds=4)
            for edition in (1, 2):  # whatever chance has done, all is taken over and then handed back
                campaign.move_all(hub, edition)
                check(campaign, hub, ids)
            seen = summary(hub, campaign)
        finally:
            campaign.end()
    assert min(seen.get(name, 0) for name in ("take_over", "hand_back", "kills", "told")) > 0, seen
