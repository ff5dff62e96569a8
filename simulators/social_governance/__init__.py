"""The simulated social governance platform 社会治理: residents' snapshots, grid workers, records pushed to the hub."""

from simulators.social_governance.platform import SocialGovernance

__all__ = ["SocialGovernance"]
